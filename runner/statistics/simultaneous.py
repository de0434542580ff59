"""Intervals that go with adjusted p: of one estimate, but held together with those of its family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbtrun.contract.records import Comparison, Interval

if TYPE_CHECKING:
    from cbtrun.statistics.multiplicity import Correction

ALPHA = 0.05
"""Error that a family holds."""
SAME = 1e-6
"""How near a p must be to that of the interval's own t to be its test."""
ONE_SIDED_TWICE = "tost"


@dataclass(frozen=True)
class ErrorOf:
    """Standard error of an estimate with the degrees of freedom of its t."""

    error: float
    df: float


def error_of(comparison: Comparison) -> ErrorOf | None:
    """Standard error and degrees of freedom behind a t interval, found by the test that says the same as it.

    None where no test of the comparison does: a rank test has no part in an interval of means.
    """
    from scipy.stats import t

    estimate, interval = comparison.estimate, comparison.interval
    if estimate is None or interval is None or not interval.high > interval.low:
        return None
    for test in comparison.tests:
        df = test.df_error if test.df == 1 and test.df_error is not None else test.df
        if df is None or df <= 0:
            continue
        error = (interval.high - interval.low) / 2 / float(t.ppf((1 + interval.level) / 2, df))
        own = 2 * float(t.sf(abs(estimate) / error, df))
        if test.name == ONE_SIDED_TWICE and comparison.margin is not None:
            own = float(t.sf((comparison.margin - abs(estimate)) / error, df))
        if abs(own - test.p) <= SAME:
            return ErrorOf(error, df)
    return None


def together(comparison: Comparison, correction: Correction, family: int, rejected: int) -> Interval | None:
    """The interval of an estimate at the level that its family holds; none where the first test is not that of its t.

    Holm: Bonferroni's level, 1 - 0.05 / family; of a comparison that Holm's steps alone show, the end nearer to no
    difference (of an equivalence: to the margin) lies there, so that p and interval never disagree.
    Benjamini-Hochberg: the level of the false coverage rate, 1 - 0.05 rejected / family.
    family: comparisons in it; rejected: how many of them are shown.
    Source: Strassburger & Bretz 2008, Guilbaud 2008 (Holm); Benjamini & Yekutieli 2005.
    """
    from scipy.stats import t

    first = comparison.model_copy(update={"tests": comparison.tests[:1]})
    known, estimate, interval = error_of(first), comparison.estimate, comparison.interval
    if known is None or estimate is None or interval is None:
        return None
    share = ALPHA / family if correction == "holm" else ALPHA * max(1, rejected) / family
    tails = 2 if comparison.tests[0].name == ONE_SIDED_TWICE else 1
    level = 1 - tails * share
    half = float(t.ppf((1 + level) / 2, known.df)) * known.error
    low, high = estimate - half, estimate + half
    p = comparison.tests[0].p_adjusted
    if p is not None and p < ALPHA:
        low, high = _on_its_side(comparison, low, high)
    return Interval(low=low, high=high, level=level, method=f"{interval.method}, together with its family of {family}")


def _on_its_side(comparison: Comparison, low: float, high: float) -> tuple[float, float]:
    """The interval without what the adjusted test has refused."""
    margin, estimate = comparison.margin, comparison.estimate or 0.0
    if margin is not None:
        return max(low, -margin), min(high, margin)
    return (max(low, 0.0), high) if estimate > 0 else (low, min(high, 0.0))
