"""Pairs: mean of the within-pair differences, paired t, Wilcoxon's signed ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cbtrun.contract.records import Interval, Test
from cbtrun.statistics.samples import LEVEL, Estimated, Tested, as_sample, has_no_spread
from cbtrun.statistics.ties import tied_differences
from cbtrun.statistics.two_groups import EXACT_UP_TO

if TYPE_CHECKING:
    from cbtrun.statistics.samples import Array

TOO_FEW = "needs at least two pairs"
NO_SPREAD = "the differences have no spread"


def mean_of_differences(differences: Sequence[float] | Array) -> Estimated:
    """Mean within-pair difference with its t interval, in the values' unit."""
    from scipy.stats import ttest_1samp

    d = as_sample(differences)
    if d.size == 0:
        return Estimated(None, None, "there is no pair")
    if d.size < 2:
        return Estimated(float(d.mean()), None, f"no interval: {TOO_FEW}")
    if has_no_spread(d):
        return Estimated(float(d.mean()), None, f"no interval: {NO_SPREAD}")
    limits = ttest_1samp(d, 0.0).confidence_interval(LEVEL)
    return Estimated(float(d.mean()), Interval(low=float(limits.low), high=float(limits.high), method="paired t"))


def paired_t_test(differences: Sequence[float] | Array) -> Tested:
    """Paired t test of a mean difference of zero, two-sided."""
    from scipy.stats import ttest_1samp

    d = as_sample(differences)
    if d.size < 2:
        return Tested(None, f"paired t test: {TOO_FEW}")
    if has_no_spread(d):
        return Tested(None, f"paired t test: {NO_SPREAD}")
    result = ttest_1samp(d, 0.0)
    return Tested(Test(name="t", statistic=float(result.statistic), df=float(result.df), p=float(result.pvalue)))


def wilcoxon_test(differences: Sequence[float] | Array) -> Tested:
    """Wilcoxon's signed-rank test, two-sided; the statistic is the rank sum of the positive differences (R's V).

    Zero differences are left out; sizes that differ by rounding alone are tied. Exact where no size is tied and fewer than 50 pairs remain; otherwise normal with
    tie and continuity correction.
    """
    import numpy as np
    from scipy.stats import rankdata, wilcoxon

    d = tied_differences(as_sample(differences))
    if d.size == 0:
        return Tested(None, "Wilcoxon test: there is no pair")
    kept = d[d != 0]
    if kept.size == 0:
        return Tested(Test(name="wilcoxon", statistic=0.0, p=1.0, method="all differences are zero"))
    exact = kept.size == d.size and np.unique(np.abs(kept)).size == kept.size and kept.size < EXACT_UP_TO
    positive = float(rankdata(np.abs(kept))[kept > 0].sum())
    p = float(wilcoxon(kept, correction=not exact, method="exact" if exact else "asymptotic").pvalue)
    method = "exact" if exact else "normal approximation, corrected for ties and continuity; zeros left out"
    return Tested(Test(name="wilcoxon", statistic=positive, p=min(1.0, p), method=method))
