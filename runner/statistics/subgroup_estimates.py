"""Whether a difference depends on a further factor: its estimates in independent subgroups against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cbtrun.contract.records import Interval, Test
from cbtrun.statistics.factorial import Contrast
from cbtrun.statistics.samples import LEVEL

NAME = "interaction"


@dataclass(frozen=True)
class SubgroupEstimate:
    """One subgroup's estimate."""

    value: float
    error: float
    """Standard error, above 0."""
    df: float
    """Of its t; infinite for a normal estimate."""


def interaction_of(found: Sequence[SubgroupEstimate]) -> Contrast:
    """Welch's test that independent estimates are equal; of two of them their difference with its interval.

    Of mean differences within personas it is Welch's one-way test of the differences, of two subgroups Welch's t test. Of
    normal estimates it is Cochran's Q, which has no error degrees of freedom.
    Source: Welch 1951, "On the comparison of several mean values"; Altman & Bland 2003, "Interaction revisited".
    """
    from scipy.stats import chi2, f, t

    k = len(found)
    if k < 2:
        return Contrast(None, None, None, "interaction: needs two subgroups with an estimate and its error")
    weights = [one.error**-2 for one in found]
    whole = math.fsum(weights)
    mean = math.fsum(weight * one.value for weight, one in zip(weights, found, strict=True)) / whole
    between = math.fsum(weight * (one.value - mean) ** 2 for weight, one in zip(weights, found, strict=True))
    unsure = math.fsum((1 - weight / whole) ** 2 / one.df for weight, one in zip(weights, found, strict=True))
    if unsure == 0:
        test = Test(name=NAME, statistic=between, df=float(k - 1), p=float(chi2.sf(between, k - 1)))
        return Contrast(None, None, test)
    df_error = (k**2 - 1) / (3 * unsure)
    statistic = between / (k - 1) / (1 + 2 * (k - 2) / (k**2 - 1) * unsure)
    p = float(f.sf(statistic, k - 1, df_error))
    test = Test(name=NAME, statistic=statistic, df=float(k - 1), df_error=df_error, p=p)
    if k > 2:
        return Contrast(None, None, test)
    gap = found[0].value - found[1].value
    half = float(t.ppf((1 + LEVEL) / 2, df_error)) * math.hypot(found[0].error, found[1].error)
    return Contrast(gap, Interval(low=gap - half, high=gap + half, method="Welch t of the subgroups"), test)
