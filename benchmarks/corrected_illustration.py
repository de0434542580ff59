"""An illustration on real ratings by people, no proof: one person plays the judge, the mean of all four is what is true.

    CBTRUN_OPTIONAL_DATA=FOLDER python benchmarks/corrected_illustration.py [--draws 1000] [--seed 1]

20 sessions of three language-model therapists, four people, ten criteria of 1 to 6 (MindEval, arXiv 2511.18491;
human_ratings_dev.csv and human_ratings_dev_sessions.jsonl, which are not part of the repository). Of each criterion and each
person as judge: the difference between the first therapist's sessions and the others', 10 of 20 sessions drawn again and again,
and what judge alone, people alone and the corrected make of it. The truth is that of these 20 sessions, not of others like
them, and the judge is one of the four whose mean is the truth. It says that the method runs on such ratings, and what people
who hardly agree come to. The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections import defaultdict
from pathlib import Path

import numpy as np

from cbtrun.statistics.corrected import DrawnSessions, corrected_difference

NOT_APPLICABLE = "0"


def ratings(folder: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Criterion -> (sessions, people) points, NaN where it does not apply; and which sessions are the first therapist's."""
    lines = (folder / "human_ratings_dev_sessions.jsonl").read_text(encoding="utf-8").splitlines()
    therapist = {one["session_id"]: one["therapist_model"] for one in map(json.loads, lines)}
    sessions = sorted(therapist)
    with (folder / "human_ratings_dev.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    people = sorted({row["rater_id"] for row in rows})
    found: dict[str, np.ndarray] = defaultdict(lambda: np.full((len(sessions), len(people)), np.nan))
    for row in rows:
        if row["score"] != NOT_APPLICABLE:
            place = sessions.index(row["session_id"]), people.index(row["rater_id"])
            found[row["criterion"]][place] = float(row["score"])
    first = sorted(set(therapist.values()))[0]
    return dict(found), np.array([therapist[one] == first for one in sessions])


def one_judge(table: np.ndarray, first: np.ndarray, judge: int, draws: int, seed: int) -> dict[str, float]:
    """Mean distance from the truth, and share of intervals that hold it."""
    kept = ~np.isnan(table).any(axis=1)
    points, first = table[kept], first[kept]
    people, sides = points.mean(axis=1), np.where(first, 1.0, -1.0)
    truth = float(people[first].mean() - people[~first].mean())
    weights = np.where(first, 1 / first.sum(), 1 / (~first).sum())
    rng = np.random.default_rng([seed, judge])
    off: dict[str, list[float]] = defaultdict(list)
    for _ in range(draws):
        rated = np.zeros(first.size, dtype=bool)
        for level in (first, ~first):
            those = np.flatnonzero(level)
            rated[rng.permutation(those)[: max(4, those.size // 2)]] = True
        codes, strata = np.arange(first.size), np.zeros(first.size, dtype=np.int64)
        seen = np.where(rated, people, np.nan)
        drawn = DrawnSessions(codes, sides, strata, weights, np.full(first.size, 0.5), points[:, judge], seen)
        found = corrected_difference(drawn)
        for name in ("judge", "people", "corrected"):
            one = getattr(found, name)
            span = one.interval()
            off[name].append(abs(one.value - truth))
            off[f"{name} covers"].append(span is not None and span.low <= truth <= span.high)
    return {name: round(float(np.mean(values)), 3) for name, values in off.items()}


def main() -> None:
    """A line for each criterion, over the four people as judges; then one of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tables, first = ratings(Path(os.environ["CBTRUN_OPTIONAL_DATA"]))
    report = {}
    for criterion, table in tables.items():
        if (~np.isnan(table).any(axis=1)).sum() < first.size:
            continue  # does not apply to some sessions
        judges = [one_judge(table, first, judge, options.draws, options.seed) for judge in range(table.shape[1])]
        report[criterion] = {name: round(float(np.mean([one[name] for one in judges])), 3) for name in judges[0]}
        print(f"{criterion:12} {json.dumps(report[criterion])}", flush=True)
    print(json.dumps({"illustration": True, "draws": options.draws, "seed": options.seed, "criteria": report}))


if __name__ == "__main__":
    main()
