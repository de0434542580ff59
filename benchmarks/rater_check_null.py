"""How often `rater-check` takes a rater that scores at random to notice a control, over simulated studies.

    python benchmarks/rater_check_null.py [--studies 4000] [--seed 1]

Originals and controls are scored by draws from one distribution that ignore what was done to the session, so "noticed" is
a false alarm, of which a two-sided 95 % interval allows 2.5 %. The same shares hold for the placebo control of a sound
rater. Each study goes through the function that a real one calls. Asserted: no share above 2.5 % by more than three
Monte-Carlo standard errors. `by score` shows what leaving out the pairs whose original scored lowest would do.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cbtrun.analysis.table import AnalysisTable, Row
from cbtrun.plugins.raters.control_sessions import FACTOR, NONE, OF
from cbtrun.plugins.raters.rater_check import control_comparison, noticed

Scores = Callable[[np.random.Generator, int], np.ndarray]
NOMINAL = 0.025


def sparse_item(rng: np.random.Generator, n: int, zeros: float) -> np.ndarray:
    """An item of 0 to 6 with a share of zeros, else 1 to 4: homework, say, where most sessions have none."""
    return np.where(rng.random(n) < zeros, 0, rng.integers(1, 5, n)).astype(float)


SCORES: dict[str, Scores] = {
    "item, 60 % zeros": lambda rng, n: sparse_item(rng, n, 0.6),
    "item, 30 % zeros": lambda rng, n: sparse_item(rng, n, 0.3),
    "item, 0 to 6 alike": lambda rng, n: rng.integers(0, 7, n).astype(float),
    "total, normal": lambda rng, n: np.clip(np.round(rng.normal(25, 9, n)), 0, 66),
    "total, mean of 3 repeats": lambda rng, n: np.clip(np.round(rng.normal(25, 9, (3, n))), 0, 66).mean(axis=0),
    "item, 90 % at the top": lambda rng, n: np.where(rng.random(n) < 0.9, 6, rng.integers(0, 6, n)).astype(float),
}


@dataclass(frozen=True)
class Shares:
    """Of the studies of one kind."""

    noticed: float
    undecided: float
    by_score: float
    """Noticed, had the pairs been left out whose original scored lowest."""


def study(rng: np.random.Generator, scores: Scores, n: int) -> list[Row]:
    """Rows of n sessions and of their controls, scored at random."""
    drawn = scores(rng, 2 * n)
    originals = [Row(f"s{at}", None, None, 1, {FACTOR: NONE}, float(drawn[at]), None) for at in range(n)]
    return originals + [
        Row(f"s{at}~c", None, None, 1, {FACTOR: "shuffled", OF: f"s{at}"}, float(drawn[n + at]), None)
        for at in range(n)
    ]


def without_the_lowest(rows: list[Row]) -> list[Row]:
    """The pairs whose original did not score lowest."""
    lowest = min(row.value for row in rows if row.value is not None)
    gone = {row.session for row in rows if row.levels[FACTOR] == NONE and row.value == lowest}
    return [row for row in rows if row.session not in gone and row.levels.get(OF) not in gone]


def is_noticed(rows: list[Row]) -> bool | None:
    """The verdict of the product."""
    return noticed(control_comparison("null", "shuffled", AnalysisTable("x.item", tuple(rows))))


def shares(scores: Scores, n: int, studies: int, seed: int) -> Shares:
    """Over so many studies of n sessions."""
    drawn = [study(np.random.default_rng([seed, at]), scores, n) for at in range(studies)]
    found = [is_noticed(rows) for rows in drawn]
    selected = [is_noticed(without_the_lowest(rows)) for rows in drawn]
    of = float(studies)
    return Shares(found.count(True) / of, found.count(None) / of, selected.count(True) / of)


def main() -> None:
    """A line for each kind of score and n, then one line of JSON; exit 1 where a share is too high."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    allowed = NOMINAL + 3 * math.sqrt(NOMINAL * (1 - NOMINAL) / options.studies)
    report = {}
    for name, scores in SCORES.items():
        for n in (8, 20, 40):
            found = shares(scores, n, options.studies, options.seed)
            report[f"{name}, n = {n}"] = vars(found)
            print(f"{name:26} n = {n:2}  noticed {found.noticed:.4f}  by score {found.by_score:.4f}", flush=True)
    wrong = [name for name, found in report.items() if found["noticed"] > allowed]
    print(json.dumps({"studies": options.studies, "seed": options.seed, "shares": report, "wrong": wrong}))
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
