"""How often the report says that ours "differs" from a published difference when both studies estimate the same.

    python benchmarks/published_agreement.py [--studies 4000] [--seed 1]

Each study is two: theirs, of which the source's numbers are kept (p to three decimals, `< 0.001` below), and ours, a paired
analysis with its t interval. Both go through the functions that the report calls. `alone` is the rule of old: differs when
our interval does not hold their value, as if that had no error. `only if significant`: the source publishes p < 0.05 alone,
which no rule can undo. Asserted: at most 0.05 differ, by three Monte-Carlo standard errors, but there. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cbtrun.plugins.report.published_contrasts import Ours, agreement, published_contrasts
from cbtrun.statistics.paired import mean_of_differences, paired_t_test
from cbtrun.statistics.two_groups import mean_difference

ABOUT = {"source": "s", "outcome": "ctrs.total", "factor": "tuning"}
SPREAD = 8.0
"""SD of a pair's difference, in points."""
NOMINAL = 0.05


def contrast(**told: Any) -> dict[str, Any]:
    """An entry of `compare_with`."""
    return {**ABOUT, "contrast": {"levels": ["cbt", "none"], **told}}


def shown_p(p: float) -> float | str:
    """A p as papers print it."""
    return "< 0.001" if p < 0.001 else round(p, 3)


def by_p(rng: np.random.Generator, n: int, truth: float) -> dict[str, Any]:
    """A source that gives the difference of n pairs and its p."""
    found = rng.normal(truth, SPREAD, n)
    test = paired_t_test(found).test
    assert test is not None
    return contrast(difference=float(found.mean()), p=shown_p(test.p))


def by_p_and_sds(rng: np.random.Generator, n: int, truth: float) -> dict[str, Any]:
    """The same, with the SD that makes a d of it."""
    told = by_p(rng, n, truth)
    told["contrast"]["sds"] = [SPREAD]
    return {**told, "scale": "other"}


def by_se(rng: np.random.Generator, n: int, truth: float) -> dict[str, Any]:
    """A source that gives the standard error and n."""
    found = rng.normal(truth, SPREAD, n)
    return contrast(difference=float(found.mean()), se=float(found.std(ddof=1)) / math.sqrt(n), n=[n, n])


def by_groups(rng: np.random.Generator, n: int, truth: float) -> dict[str, Any]:
    """A source that gives means, SDs and n of two independent groups."""
    sides = [rng.normal(truth, SPREAD, n), rng.normal(0, SPREAD, n)]
    levels = {
        level: {"mean": float(side.mean()), "sd": float(side.std(ddof=1)), "n": n}
        for level, side in zip(("cbt", "none"), sides, strict=True)
    }
    return {**contrast(difference=float(sides[0].mean() - sides[1].mean())), "levels": levels}


def only_significant(rng: np.random.Generator, n: int, truth: float) -> dict[str, Any]:
    """A source that is printed when p < 0.05, and only then."""
    while True:
        told = by_p(rng, n, truth)
        p = told["contrast"]["p"]
        if isinstance(p, str) or p < 0.05:
            return told


SOURCES: dict[str, Callable[[np.random.Generator, int, float], dict[str, Any]]] = {
    "p": by_p,
    "p, in d": by_p_and_sds,
    "SE": by_se,
    "SDs and n of groups": by_groups,
    "p, only if significant": only_significant,
}


@dataclass(frozen=True)
class Rates:
    """Shares of the pairs of studies."""

    differs: float
    cannot_be_told: float
    alone: float
    """Our interval did not hold their value."""


def our_study(rng: np.random.Generator, n: int, truth: float, groups: bool) -> Ours:
    """A paired study of ours, or one of two groups."""
    if groups:
        found = mean_difference(rng.normal(truth, SPREAD, n), rng.normal(0, SPREAD, n))
    else:
        found = mean_of_differences(rng.normal(truth, SPREAD, n))
    assert found.value is not None
    assert found.interval is not None
    in_d = found.interval.model_copy(update={"low": found.interval.low / SPREAD, "high": found.interval.high / SPREAD})
    return Ours(found.value, found.interval, n, found.value / SPREAD, in_d)


def rates(source: str, sizes: tuple[int, int], truth: float, studies: int, seed: int) -> Rates:
    """sizes: pairs (or of each group) of ours and of theirs."""
    words: Counter[str] = Counter()
    alone = 0
    for study in range(studies):
        rng = np.random.default_rng([seed, study, *sizes])
        entry = SOURCES[source](rng, sizes[1], truth)
        (theirs,) = published_contrasts({"compare_with": {"x": entry}})
        ours = our_study(rng, sizes[0], truth, groups=source == "SDs and n of groups")
        words[agreement(theirs, ours, same_scale="scale" not in entry).split(":")[0].split(" ")[0]] += 1
        assert ours.interval is not None
        alone += not ours.interval.low <= theirs.difference <= ours.interval.high
    return Rates(words["differs"] / studies, words["cannot"] / studies, alone / studies)


def main() -> None:
    """A line for each source, sizes and true difference, then one of JSON; exit 1 where too many differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    allowed = NOMINAL + 3 * math.sqrt(NOMINAL * (1 - NOMINAL) / options.studies)
    report, wrong = {}, []
    for source in SOURCES:
        for sizes in ((20, 20), (20, 5), (20, 80), (8, 8)):
            for truth in (2.0, 8.0):
                found = rates(source, sizes, truth, options.studies, options.seed)
                name = f"{source}; ours {sizes[0]}, theirs {sizes[1]}; true difference {truth:g}"
                report[name] = vars(found)
                wrong += [name] if found.differs > allowed and source != "p, only if significant" else []
                print(f"{name:62} {json.dumps(vars(found))}", flush=True)
    print(json.dumps({"studies": options.studies, "seed": options.seed, "rates": report, "wrong": wrong}))
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
