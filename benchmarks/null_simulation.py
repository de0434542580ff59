"""Type I error and coverage of the default analyses, over simulated studies in which the truth is known.

    python benchmarks/null_simulation.py [--studies 2000] [--seed 1]

Every study has 20 personas (or 20 in each group) with two sessions at each level, so that sessions are clustered. Scores
are totals of 11 items: `normal` without bounds, `ceiling` whole points from 0 to 6 with most items near the top, `item` a
single such item. Each goes through the same function as in a study, bootstrap included. `mixed` has two raters as well.
`sessions as units` shows what ignoring the clusters would do. Asserted: t's error and coverage, within three Monte-Carlo
standard errors (at the ceiling of a single item: not above). Reported: everything else.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cbtrun.analysis.table import AnalysisTable, Row
from cbtrun.contract.records import Comparison
from cbtrun.plugins.analyses.independent import compare_independent
from cbtrun.plugins.analyses.mixed import compare_mixed
from cbtrun.plugins.analyses.paired import compare_pairs
from cbtrun.statistics.two_groups import welch_test

PERSONAS, REPEATS, ITEMS = 20, 2, 11
LEVELS = ("cbt", "none")
OPTIONS = {"factor": "tuning", "levels": list(LEVELS)}
ALPHA = 0.05


@dataclass
class Tally:
    """Counts over the studies of one scenario."""

    studies: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    covered: int = 0
    covered_by_bootstrap: int = 0
    with_bootstrap: int = 0
    without_interval: int = 0
    """Studies in which nothing varied."""

    def add(self, found: Comparison, truth: float) -> None:
        """Count one study. One without an interval, because nothing varies, rejects nothing and covers nothing."""
        self.studies += 1
        for test in found.tests:
            self.rejected[test.name] = self.rejected.get(test.name, 0) + (test.p < ALPHA)
        self.without_interval += found.interval is None
        self.covered += found.interval is not None and found.interval.low <= truth <= found.interval.high
        self.with_bootstrap += found.bootstrap is not None
        self.covered_by_bootstrap += (
            found.bootstrap is not None and found.bootstrap.low <= truth <= found.bootstrap.high
        )

    def figures(self) -> dict[str, Any]:
        """Shares of the studies (coverage: of those with an interval)."""
        have = max(1, self.studies - self.without_interval)
        return {
            "rejected": {name: round(count / self.studies, 4) for name, count in sorted(self.rejected.items())},
            "coverage_t": round(self.covered / have, 4),
            "coverage_bootstrap": round(self.covered_by_bootstrap / self.with_bootstrap, 4)
            if self.with_bootstrap
            else None,
            "without_interval": self.without_interval,
        }


def scores(rng: np.random.Generator, kind: str, paired: bool, shift: float) -> np.ndarray:
    """Session scores, (levels, personas, repeats): persona effects shared by the levels where they are paired."""
    shape = (2, PERSONAS, REPEATS)
    persona = rng.normal(0, 0.6, (1 if paired else 2, PERSONAS, 1))
    slope = rng.normal(0, 0.3, (2, PERSONAS, 1))  # how each persona takes to a level: repeats do not average it away
    lift = np.array([shift, 0.0])[:, None, None]
    if kind == "normal":
        return ITEMS * (4 + persona + slope + lift + rng.normal(0, 0.4, shape))
    items = ITEMS if kind == "ceiling" else 1
    latent = (5.6 + persona + slope + lift)[..., None] + rng.normal(0, 1.0, (*shape, items))
    return np.clip(np.round(latent), 0, 6).sum(axis=-1)


def table(values: np.ndarray, paired: bool) -> AnalysisTable:
    """One row per session."""
    rows = []
    for (level, persona, repeat), value in np.ndenumerate(values):
        name = f"p{persona:02}" if paired else f"{LEVELS[level]}-p{persona:02}"
        arm = LEVELS[level]
        rows.append(Row(f"{arm}/{name}/{repeat}", arm, name, int(repeat) + 1, {"tuning": arm}, float(value), None))
    return AnalysisTable("ctrs.total", tuple(rows))


def rated(rng: np.random.Generator, values: np.ndarray) -> AnalysisTable:
    """One row per session with two raters' scores: each with a severity of its own, and noise."""
    plain, severity = table(values, paired=True), rng.normal(0, 2, 2)
    rows = []
    for row in plain.rows:
        found = {(f"r{n}", 1): float(row.value + severity[n] + rng.normal(0, 2)) for n in range(2)}
        mean = sum(found.values()) / 2
        rows.append(Row(row.session, row.arm, row.persona, row.repeat, row.levels, mean, None, ratings=found))
    return AnalysisTable("ctrs.total", tuple(rows))


def true_difference(kind: str, shift: float, seed: int) -> float:
    """Difference of the levels' means in points, from a population large enough to know it."""
    if shift == 0 or kind == "normal":
        return ITEMS * shift
    rng = np.random.default_rng([seed, 99])
    drawn = [scores(rng, kind, True, shift) for _ in range(20_000)]
    return float(np.mean([one[0].mean() - one[1].mean() for one in drawn]))


def default_analysis(kind: str, paired: bool, shift: float, studies: int, seed: int) -> Tally:
    """The default `paired` or `independent` analysis of many studies."""
    compare = compare_pairs if paired else compare_independent
    truth, tally = true_difference(kind, shift, seed), Tally()
    for study in range(studies):
        rng = np.random.default_rng([seed, study])
        tally.add(compare("null", OPTIONS, table(scores(rng, kind, paired, shift), paired), study), truth)
    return tally


def mixed_analysis(studies: int, seed: int) -> Tally:
    """The default `mixed` analysis with two raters."""
    tally = Tally()
    for study in range(studies):
        rng = np.random.default_rng([seed, study])
        tally.add(compare_mixed("null", OPTIONS, rated(rng, scores(rng, "normal", True, 0.0)))[0], 0.0)
    return tally


def sessions_as_units(studies: int, seed: int) -> float:
    """Share of null studies that Welch's test rejects when clustered sessions are taken as independent."""
    rejected = 0
    for study in range(studies):
        drawn = scores(np.random.default_rng([seed, study]), "normal", False, 0.0)
        test = welch_test(drawn[0].ravel(), drawn[1].ravel()).test
        rejected += test is not None and test.p < ALPHA
    return rejected / studies


def scenarios(studies: int, seed: int) -> Iterator[tuple[str, Callable[[], Tally]]]:
    """Name -> run, in the order of the report; `shifted` ones are for coverage away from zero."""
    for paired in (True, False):
        for kind in ("normal", "ceiling", "item"):
            for shift in (0.0, 0.25):
                name = f"{'paired' if paired else 'independent'} {kind}{' shifted' if shift else ''}"
                yield name, lambda k=kind, p=paired, s=shift: default_analysis(k, p, s, studies, seed)
    yield "mixed normal", lambda: mixed_analysis(studies, seed)


def violations(name: str, figures: dict[str, Any], studies: int) -> list[str]:
    """What lies further than three Monte-Carlo standard errors from nominal, for t."""
    allowed = 3 * math.sqrt(ALPHA * (1 - ALPHA) / studies)
    found = []
    exact = "item" not in name
    off = figures["coverage_t"] - (1 - ALPHA)
    if off < -allowed or (exact and off > allowed):
        found.append(f"{name}: coverage {figures['coverage_t']}")
    if "shifted" not in name:
        for test in ("t", "welch", "satterthwaite"):
            excess = figures["rejected"].get(test, ALPHA) - ALPHA
            if excess > allowed or (exact and excess < -allowed):
                found.append(f"{name}: {test} rejects {figures['rejected'][test]}")
    return found


def main() -> None:
    """Run every scenario, print a line each, then one line of JSON; exit 1 when t is off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    report: dict[str, Any] = {}
    wrong: list[str] = []
    for name, run in scenarios(options.studies, options.seed):
        report[name] = run().figures()
        wrong += violations(name, report[name], options.studies)
        print(f"{name:32} {json.dumps(report[name])}", flush=True)
    naive = sessions_as_units(options.studies, options.seed)
    print(f"{'sessions as units':32} rejects {naive:.4f}")
    line = {
        "studies": options.studies,
        "seed": options.seed,
        "sessions_as_units": naive,
        "scenarios": report,
        "wrong": wrong,
    }
    print(json.dumps(line))
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
