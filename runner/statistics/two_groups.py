"""Two independent groups: difference of means, Welch's t, Mann-Whitney."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cbtrun.contract.records import Interval, Test
from cbtrun.statistics.samples import LEVEL, Estimated, Tested, as_sample, has_no_spread, one_constant_group_allowed
from cbtrun.statistics.ties import tied_groups

if TYPE_CHECKING:
    from cbtrun.statistics.samples import Array

EXACT_UP_TO = 50
"""Group size below which Mann-Whitney and Wilcoxon use the exact distribution, where nothing is tied (as R does)."""

TOO_FEW = "needs at least two values in each group"
NO_SPREAD = "no spread in either group"


def mean_difference(first: Sequence[float] | Array, second: Sequence[float] | Array) -> Estimated:
    """Mean of the first minus mean of the second, with Welch's interval, in the values' unit."""
    from scipy.stats import ttest_ind

    a, b = as_sample(first), as_sample(second)
    if a.size == 0 or b.size == 0:
        return Estimated(None, None, "a group has no value")
    difference = float(a.mean() - b.mean())
    if min(a.size, b.size) < 2:
        return Estimated(difference, None, f"no interval: {TOO_FEW}")
    if has_no_spread(a) and has_no_spread(b):
        return Estimated(difference, None, f"no interval: {NO_SPREAD}")
    with one_constant_group_allowed():
        limits = ttest_ind(a, b, equal_var=False).confidence_interval(LEVEL)
    return Estimated(difference, Interval(low=float(limits.low), high=float(limits.high), method="Welch t"))


def welch_test(first: Sequence[float] | Array, second: Sequence[float] | Array) -> Tested:
    """Welch's t test of equal means, two-sided; degrees of freedom after Satterthwaite."""
    from scipy.stats import ttest_ind

    a, b = as_sample(first), as_sample(second)
    if min(a.size, b.size) < 2:
        return Tested(None, f"Welch's t test: {TOO_FEW}")
    if has_no_spread(a) and has_no_spread(b):
        return Tested(None, f"Welch's t test: {NO_SPREAD}")
    with one_constant_group_allowed():
        result = ttest_ind(a, b, equal_var=False)
    return Tested(Test(name="welch", statistic=float(result.statistic), df=float(result.df), p=float(result.pvalue)))


def mann_whitney_test(first: Sequence[float] | Array, second: Sequence[float] | Array) -> Tested:
    """Mann-Whitney U of the first group, two-sided.

    Values that differ by rounding alone are tied. Exact where nothing is tied and both groups are below 50; otherwise normal with tie and continuity correction.
    """
    import numpy as np
    from scipy.stats import mannwhitneyu

    a, b = tied_groups([as_sample(first), as_sample(second)])
    if a.size == 0 or b.size == 0:
        return Tested(None, "Mann-Whitney test: a group has no value")
    pooled = np.concatenate([a, b])
    distinct = np.unique(pooled).size
    if distinct == 1:
        method = "all values are equal"
        return Tested(Test(name="mann-whitney", statistic=a.size * b.size / 2, p=1.0, method=method))
    exact = distinct == pooled.size and max(a.size, b.size) < EXACT_UP_TO
    result = mannwhitneyu(a, b, alternative="two-sided", method="exact" if exact else "asymptotic")
    method = "exact" if exact else "normal approximation, corrected for ties and continuity"
    return Tested(
        Test(name="mann-whitney", statistic=float(result.statistic), p=min(1.0, float(result.pvalue)), method=method)
    )
