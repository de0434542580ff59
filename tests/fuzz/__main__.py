"""`python -m tests.fuzz`: break things for as long as you like. Findings go to standard error; the last line is JSON.

.venv/bin/python -m tests.fuzz --seconds 3600 --keep findings     hours by hand, what was found kept
.venv/bin/python -m tests.fuzz --kind spec --case 1234            one case again
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.fuzz.sample import KINDS, Wanted, fuzz


def main() -> int:
    """Read the options, try, and tell. Exit 1 with findings."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Break things and look what cbtrun says.")
    parser.add_argument("--seed", type=int, default=1, help="Where chance begins.")
    parser.add_argument("--cases", type=int, help="Cases of each kind.")
    parser.add_argument("--seconds", type=float, help="Go on for so long.")
    parser.add_argument("--kind", choices=list(KINDS), action="append", help="These kinds alone.")
    parser.add_argument("--case", type=int, help="This case alone, by its number.")
    parser.add_argument("--keep", type=Path, help="Folder for what findings were made of.")
    told = parser.parse_args()
    wanted = Wanted(told.seed, told.kind or tuple(KINDS), told.cases, told.seconds, told.case, told.keep)
    summary = fuzz(wanted, lambda line: print(line, file=sys.stderr, flush=True))
    print(json.dumps(summary))
    return 1 if summary["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
