"""Equivalence: two one-sided tests against a margin declared in points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbtrun.contract.records import Interval, Test
from cbtrun.errors import StatisticsError
from cbtrun.statistics.samples import as_sample, has_no_spread

if TYPE_CHECKING:
    from cbtrun.statistics.samples import Array

INNER = 0.90
"""Level of the interval that lies inside the margin exactly when both one-sided tests are significant at 0.05."""


@dataclass(frozen=True)
class Equivalence:
    """Difference with its 90 % interval and the larger of the two one-sided p, or why there is none."""

    estimate: float | None
    interval: Interval | None
    test: Test | None
    note: str | None = None


def _checked(margin: float) -> float:
    if not margin > 0:
        raise StatisticsError(f"margin: {margin} is not a positive number of points")
    return margin


def equivalence_of_groups(
    first: Sequence[float] | Array, second: Sequence[float] | Array, margin: float
) -> Equivalence:
    """Two independent groups by Welch's t. Source: Schuirmann 1987, as statsmodels has it; Lakens 2017."""
    from scipy.stats import ttest_ind
    from statsmodels.stats.weightstats import ttost_ind

    margin, a, b = _checked(margin), as_sample(first), as_sample(second)
    difference = float(a.mean() - b.mean()) if a.size and b.size else None
    if min(a.size, b.size) < 2 or (has_no_spread(a) and has_no_spread(b)):
        return Equivalence(difference, None, None, "equivalence: needs two values in each group, and spread")
    p, lower, upper = ttost_ind(a, b, -margin, margin, usevar="unequal")
    limits = ttest_ind(a, b, equal_var=False).confidence_interval(INNER)
    return _equivalence(difference, (limits.low, limits.high), p, lower, upper, "Welch t")


def equivalence_of_pairs(differences: Sequence[float] | Array, margin: float) -> Equivalence:
    """Pairs by the t of their differences. Source: Schuirmann 1987, as statsmodels has it."""
    from scipy.stats import ttest_1samp
    from statsmodels.stats.weightstats import DescrStatsW

    margin, d = _checked(margin), as_sample(differences)
    mean = float(d.mean()) if d.size else None
    if d.size < 2 or has_no_spread(d):
        return Equivalence(mean, None, None, "equivalence: needs two pairs whose differences have spread")
    p, lower, upper = DescrStatsW(d).ttost_mean(-margin, margin)
    limits = ttest_1samp(d, 0.0).confidence_interval(INNER)
    return _equivalence(mean, (limits.low, limits.high), p, lower, upper, "paired t")


def _equivalence(
    estimate: float | None,
    limits: tuple[float, float],
    p: float,
    lower: tuple[float, float, float],
    upper: tuple[float, float, float],
    method: str,
) -> Equivalence:
    statistic, _, df = lower if lower[1] >= upper[1] else upper
    interval = Interval(low=float(limits[0]), high=float(limits[1]), level=INNER, method=method)
    return Equivalence(estimate, interval, Test(name="tost", statistic=float(statistic), df=float(df), p=float(p)))
