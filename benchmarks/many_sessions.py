"""A million rated sessions through the two basic designs: python benchmarks/many_sessions.py [--sessions 1000000]

Prints the seconds of CPU that each comparison takes, imports aside, and the memory at its peak; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from typing import Any

import numpy as np

from cbtrun.analysis.block import finished
from cbtrun.analysis.table import AnalysisTable, Row
from cbtrun.plugins.analyses.independent import compare_independent
from cbtrun.plugins.analyses.paired import compare_pairs

OPTIONS = {"factor": "tuning", "levels": ["cbt", "none"]}


def table(sessions: int, personas: bool) -> AnalysisTable:
    """Whole totals from 0 to 66; with personas each has one session at either level."""
    values = np.clip(np.round(np.random.default_rng(1).normal(30, 8, sessions)), 0, 66)
    levels = ({"tuning": "none"}, {"tuning": "cbt"})
    rows = tuple(
        Row(f"s{at}", None, f"p{at // 2}" if personas else None, 1, levels[at % 2], value, None, value, value)
        for at, value in enumerate(values.tolist())
    )
    return AnalysisTable("ctrs.total", rows, 0, 66)


def main() -> None:
    """Run both designs, small first so that imports are paid for, then at full size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    wanted = parser.parse_args().sessions
    figures: dict[str, Any] = {"sessions": wanted}
    for name, compare in (("independent", compare_independent), ("paired", compare_pairs)):
        for size in (100, wanted):
            rows = table(size, name == "paired")
            start = time.process_time()
            found = finished([compare("many", OPTIONS, rows, 1)], OPTIONS)[0]
            figures[f"{name}_cpu_seconds"] = round(time.process_time() - start, 2)
        print(f"{name}: {figures[f'{name}_cpu_seconds']} s of CPU: {found.sentence}")
    figures["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
