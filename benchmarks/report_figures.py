"""How long a report's figures take: each is drawn wide and narrow for the page, and once more for each kind of file.

    python benchmarks/report_figures.py [--personas 120] [--profile]

A made-up study of three arms; no browser. The last line is JSON, with a digest of all figures.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import json
import pstats
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from cbtrun.plugins.report.write import write_all
from tests.helpers.report_studies import made_up_study  # the repository is on the path only now


def main() -> None:
    """Write the report twice, the second time with nothing left to import or to look up, and say what both took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--personas", type=int, default=120)
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    given, bare = (made_up_study(asked.personas, figures=figures) for figures in (("svg", "pdf"), ()))
    profile = cProfile.Profile()
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, study in (("first", given), ("again", given), ("page_alone", bare)):
            began = time.process_time()
            if asked.profile and name == "again":
                profile.enable()
            write_all(study, Path(folder))
            profile.disable()
            seconds[f"{name}_cpu_s"] = round(time.process_time() - began, 2)
        drawn = sorted((Path(folder) / "figures").iterdir())
        page = (Path(folder) / "report.html").read_bytes()
        found = hashlib.sha256(b"".join([page, *(path.read_bytes() for path in drawn)])).hexdigest()
    if asked.profile:
        pstats.Stats(profile).sort_stats("cumtime").print_stats(70)
    print(json.dumps({"benchmark": "report_figures", "figures": len(drawn), **seconds, "digest": found[:16]}))


if __name__ == "__main__":
    main()
