"""How often the intervals without a closed form hold the truth: the bootstrap of means, and the jackknife of agreement.

    python benchmarks/interval_coverage.py [--studies 2000] [--seed 1] [--only bootstrap|agreement]

Bootstrap: units of totals of eleven 0-6 items (`total`), of such near the top (`ceiling`), of a single item near the top
(`item`), and of skewed values (`skewed`); t of the same units beside it. Agreement: two or three raters of differing
severity score items of 0 to 6, in the middle of the scale or near its top, with true shares of the sessions' variance of 0,
0.4 and 0.8; the truth is the coefficient of 200,000 sessions. `percentile` is the bootstrap of sessions that these intervals
replaced. Each goes through the function that a study calls. Asserted: at least 0.90 covered, the skewed values and single
items apart. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cbtrun.reliability.kappa import quadratic_kappa, weighted_kappas
from cbtrun.reliability.krippendorff import krippendorff_alpha
from cbtrun.reliability.pairs import side_by_side, weighted_iccs
from cbtrun.statistics.bootstrap import bootstrap_difference, bootstrap_mean
from cbtrun.statistics.paired import mean_of_differences
from cbtrun.statistics.samples import Estimated
from cbtrun.statistics.two_groups import mean_difference

ITEMS, LEAST = 11, 0.90
POPULATION = 200_000


@dataclass
class Covered:
    """Counts over the studies of one scenario."""

    given: int = 0
    held: int = 0
    widths: list[float] = field(default_factory=list)

    def add(self, found: Estimated, truth: float) -> None:
        """Count one study; one without an interval is counted nowhere."""
        if found.interval is not None:
            self.given += 1
            self.held += found.interval.low <= truth <= found.interval.high
            self.widths.append(found.interval.high - found.interval.low)

    def figures(self, studies: int) -> dict[str, Any]:
        """Share of the intervals that hold the truth, of the studies that have one, and their median width."""
        share = round(self.held / self.given, 4) if self.given else None
        width = round(float(np.median(self.widths)), 2) if self.widths else None
        return {"covered": share, "given": round(self.given / studies, 4), "width": width}


def units(rng: np.random.Generator, kind: str, n: int) -> np.ndarray:
    """(2, n) values of two levels that do not differ."""
    if kind == "skewed":
        return 10 * rng.exponential(size=(2, n)) * np.array([[2.0], [1.0]])
    own = rng.normal(0, 0.6, (2, n, 1))
    middle = {"total": 3.0, "ceiling": 5.6, "item": 5.6}[kind]
    items = np.clip(np.round(middle + own + rng.normal(0, 1, (2, n, 1 if kind == "item" else ITEMS))), 0, 6)
    return items.sum(axis=-1)


def bootstrap_scenario(kind: str, paired: bool, n: int, studies: int, seed: int) -> dict[str, Any]:
    """Bootstrap and t beside each other."""
    truth = 10.0 if kind == "skewed" else 0.0
    tallies = {"bootstrap": Covered(), "t": Covered()}
    for study in range(studies):
        first, second = units(np.random.default_rng([seed, study, n]), kind, n)
        if paired:
            found = {"bootstrap": bootstrap_mean(first - second, study), "t": mean_of_differences(first - second)}
        else:
            found = {"bootstrap": bootstrap_difference(first, second, study), "t": mean_difference(first, second)}
        for name, one in found.items():
            tallies[name].add(one, truth)
    return {name: tally.figures(studies) for name, tally in tallies.items()}


def ratings(rng: np.random.Generator, n: int, raters: int, share: float, top: bool) -> np.ndarray:
    """(n, raters) scores; share: of the variance of one rater's scores that is the sessions'."""
    sessions = rng.normal(0, 1.5 * np.sqrt(share), (n, 1))
    noise = rng.normal(0, 1.5 * np.sqrt(1 - share), (n, raters))
    return np.clip(np.round((5.0 if top else 3.0) + sessions + noise + np.linspace(-0.3, 0.3, raters)), 0, 6)


def mean_pairwise_icc(table: np.ndarray, seed: int) -> Estimated:
    """As `cbtrun agree` has it."""
    pairs = [(a, b) for a in range(table.shape[1]) for b in range(a)]
    return side_by_side(table, pairs, pairs, "icc_2_1", seed).first


def percentile_kappa(table: np.ndarray, seed: int) -> Estimated:
    """What was given before: the middle 95 % of 500 resamples of the sessions."""
    from cbtrun.contract.records import Interval

    n = table.shape[0]
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), 500).astype(float)
    pairs = [(a, b) for a in range(table.shape[1]) for b in range(a)]
    of_pairs = [weighted_kappas(table[:, a], table[:, b], drawn) for a, b in pairs]
    values = np.mean(of_pairs, axis=0)
    values = values[np.isfinite(values)]
    if values.size < 400:
        return Estimated(None)
    low, high = np.quantile(values, [0.025, 0.975])
    return Estimated(0.0, Interval(low=float(low), high=float(high), method="percentile"))


COEFFICIENTS: dict[str, Callable[[np.ndarray, int], Estimated]] = {
    "kappa": quadratic_kappa,
    "alpha": lambda table, seed: krippendorff_alpha(table, "interval", seed),
    "pairwise icc": mean_pairwise_icc,
    "kappa, percentile": percentile_kappa,
}


def true_values(raters: int, share: float, top: bool) -> dict[str, float]:
    """Coefficients of a population of sessions, by their moments."""
    table = ratings(np.random.default_rng(99), POPULATION, raters, share, top)
    pairs = [(a, b) for a in range(raters) for b in range(a)]
    whole = np.ones((1, POPULATION))
    kappa = float(np.mean([weighted_kappas(table[:, a], table[:, b], whole)[0] for a, b in pairs]))
    icc = float(np.mean([weighted_iccs(table[:, a], table[:, b], whole)[0] for a, b in pairs]))
    within = float(table.var(axis=1, ddof=1).mean())
    alpha = 1 - within / float(table.ravel().var(ddof=1))
    return {"kappa": kappa, "alpha": alpha, "pairwise icc": icc, "kappa, percentile": kappa}


def agreement_scenario(raters: int, share: float, top: bool, n: int, studies: int, seed: int) -> dict[str, Any]:
    """Every coefficient on the same tables."""
    truth = true_values(raters, share, top)
    tallies = {name: Covered() for name in COEFFICIENTS}
    for study in range(studies):
        table = ratings(np.random.default_rng([seed, study, n, raters]), n, raters, share, top)
        for name, coefficient in COEFFICIENTS.items():
            tallies[name].add(coefficient(table, study), truth[name])
    return {name: tally.figures(studies) for name, tally in tallies.items()}


def scenarios(only: str | None, studies: int, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name -> figures, one scenario at a time."""
    if only != "agreement":
        for kind in ("total", "ceiling", "item", "skewed"):
            for paired in (True, False):
                for n in (5, 8, 12, 20):
                    name = f"{'paired' if paired else 'independent'} {kind}, n = {n}"
                    yield name, bootstrap_scenario(kind, paired, n, studies, seed)
    if only != "bootstrap":
        for raters in (2, 3):
            for share in (0.0, 0.4, 0.8):
                for top in (False, True):
                    for n in (8, 10, 20, 40):
                        name = f"{raters} raters, {share} of the variance, {'top' if top else 'middle'}, n = {n}"
                        yield name, agreement_scenario(raters, share, top, n, studies, seed)


def too_low(name: str, figures: dict[str, Any], studies: int) -> list[str]:
    """Which intervals cover less than they must, by more than three Monte-Carlo standard errors."""
    if "skewed" in name or "item" in name:
        return []
    allowed = LEAST - 3 * (LEAST * (1 - LEAST) / studies) ** 0.5
    ours = {one: told for one, told in figures.items() if one not in ("t", "kappa, percentile") and told["given"] > 0.1}
    return [f"{name}: {one} {told['covered']}" for one, told in ours.items() if told["covered"] < allowed]


def main() -> None:
    """A line for each scenario, then one of JSON; exit 1 where an interval covers too little."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=["bootstrap", "agreement"])
    options = parser.parse_args()
    report: dict[str, Any] = {}
    wrong: list[str] = []
    for name, figures in scenarios(options.only, options.studies, options.seed):
        report[name] = figures
        wrong += too_low(name, figures, options.studies)
        print(f"{name:52} {json.dumps(figures)}", flush=True)
    print(json.dumps({"studies": options.studies, "seed": options.seed, "scenarios": report, "wrong": wrong}))
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
