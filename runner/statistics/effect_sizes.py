"""Standardised effects with intervals: AUC, Cliff's delta, Hedges' g, dz, matched-pairs rank-biserial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cbtrun.contract.records import Effect, Interval
from cbtrun.statistics.noncentral import noncentrality_limits, small_sample_factor
from cbtrun.statistics.samples import LEVEL, Sized, as_sample, has_no_spread
from cbtrun.statistics.ties import tied_differences, tied_groups

if TYPE_CHECKING:
    from cbtrun.statistics.samples import Array


def _normal_quantile(level: float = LEVEL) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def placements(first: Array, second: Array) -> tuple[Array, Array]:
    """Where each value stands among the other group: (n,) shares of the second below, (m,) shares of the first above.

    Ties count half. O((n + m) log(n + m)), flat in memory.
    Source: DeLong, DeLong & Clarke-Pearson 1988, "Comparing the areas"; by ranks: Sun & Xu 2014.
    """
    import numpy as np
    from scipy.stats import rankdata

    n, m = first.size, second.size
    first, second = tied_groups([first, second])
    ranks = rankdata(np.concatenate([first, second]))
    below = (ranks[:n] - rankdata(first)) / m
    above = 1 - (ranks[n:] - rankdata(second)) / n
    return below, above


def auc(first: Sequence[float] | Array, second: Sequence[float] | Array) -> Sized:
    """Probability that a value of the first group lies above one of the second, ties half; 0 to 1.

    Interval: DeLong's variance on the logit scale. Where that variance is zero or unknown (AUC of 0 or 1, all values
    tied, a group of one) Newcombe's method 5, which inverts the Hanley-McNeil variance, is used instead and named.
    """
    a, b = as_sample(first), as_sample(second)
    if a.size == 0 or b.size == 0:
        return Sized(None, "AUC: a group has no value")
    below, above = placements(a, b)
    value = min(1.0, max(0.0, float(below.mean())))
    if min(a.size, b.size) > 1 and 0 < value < 1:
        variance = float(below.var(ddof=1)) / a.size + float(above.var(ddof=1)) / b.size
        if variance > 1e-15:
            return Sized(Effect(name="auc", value=value, interval=_logit_interval(value, math.sqrt(variance))))
    return Sized(Effect(name="auc", value=value, interval=newcombe_interval(value, a.size, b.size)))


def _logit_interval(value: float, error: float) -> Interval:
    """Normal interval of logit(value), turned back; stays inside 0 to 1."""
    centre, half = math.log(value / (1 - value)), _normal_quantile() * error / (value * (1 - value))
    low, high = (0.5 * (1 + math.tanh((centre + side * half) / 2)) for side in (-1, 1))
    return Interval(low=low, high=high, method="DeLong, logit scale")


def newcombe_interval(value: float, n: int, m: int) -> Interval:
    """Interval of an AUC that needs only its value and the group sizes, also at 0 and 1.

    Source: Newcombe 2006, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic,
    part 2", method 5: the values whose Hanley-McNeil variance puts the observed one at the edge.
    """
    from scipy.optimize import brentq

    star = (n + m) / 2 - 1

    def excess(theta: float) -> float:
        spread = theta * (1 - theta) / (n * m) * (1 + star * (1 - theta) / (2 - theta) + star * theta / (1 + theta))
        return (value - theta) ** 2 - _normal_quantile() ** 2 * spread

    # The estimate itself is a root at 0 and 1, where its variance is zero; the bound lies just inside of it.
    inside = min(max(value, 1e-9), 1 - 1e-9)
    low = 0.0 if value <= 0 else float(brentq(excess, 0.0, inside, xtol=1e-13))
    high = 1.0 if value >= 1 else float(brentq(excess, inside, 1.0, xtol=1e-13))
    return Interval(low=low, high=high, method="Newcombe 2006 method 5 (DeLong's variance is zero or unknown)")


def cliffs_delta(first: Sequence[float] | Array, second: Sequence[float] | Array) -> Sized:
    """Share of pairs in which the first is higher minus the share in which it is lower; 2 AUC - 1, interval alike.

    Source: Cliff 1993, "Dominance statistics".
    """
    area = auc(first, second)
    if area.effect is None or area.effect.interval is None:
        return Sized(None, "Cliff's delta: a group has no value")
    inner = area.effect.interval
    interval = Interval(low=2 * inner.low - 1, high=2 * inner.high - 1, method=inner.method)
    return Sized(Effect(name="cliffs_delta", value=2 * area.effect.value - 1, interval=interval))


def hedges_g(first: Sequence[float] | Array, second: Sequence[float] | Array) -> Sized:
    """Difference of means in pooled SDs with Hedges' exact small-sample correction; interval by noncentral t."""
    a, b = as_sample(first), as_sample(second)
    if min(a.size, b.size) < 2:
        return Sized(None, "Hedges' g: needs at least two values in each group")
    if has_no_spread(a) and has_no_spread(b):
        return Sized(None, "Hedges' g: no spread in either group")
    df = a.size + b.size - 2
    pooled = math.sqrt(((a.size - 1) * float(a.var(ddof=1)) + (b.size - 1) * float(b.var(ddof=1))) / df)
    scale = math.sqrt(1 / a.size + 1 / b.size)
    d = float(a.mean() - b.mean()) / pooled
    factor = small_sample_factor(df)
    return _scaled_effect("hedges_g", d * factor, d / scale, df, scale * factor)


def dz(differences: Sequence[float] | Array) -> Sized:
    """Mean within-pair difference in SDs of the differences; interval by noncentral t. Source: Cohen 1988."""
    d = as_sample(differences)
    if d.size < 2:
        return Sized(None, "dz: needs at least two pairs")
    if has_no_spread(d):
        return Sized(None, "dz: the differences have no spread")
    value = float(d.mean()) / float(d.std(ddof=1))
    return _scaled_effect("dz", value, value * math.sqrt(d.size), d.size - 1, 1 / math.sqrt(d.size))


def _scaled_effect(name: str, value: float, t: float, df: float, scale: float) -> Sized:
    """An effect whose interval is that of t's noncentrality times `scale`."""
    limits = noncentrality_limits(t, df)
    if limits is None:
        return Sized(Effect(name=name, value=value), f"{name}: too large for an interval by noncentral t")
    interval = Interval(low=limits[0] * scale, high=limits[1] * scale, method="noncentral t")
    return Sized(Effect(name=name, value=value, interval=interval))


def rank_biserial(differences: Sequence[float] | Array) -> Sized:
    """Matched-pairs rank-biserial: share of the rank sum that favours the first minus the share against; -1 to 1.

    Zero differences are left out, as in Wilcoxon's test. Interval: Fisher's z with the null standard error of the
    rank sum; none at -1 or 1. Source: Kerby 2014; interval as R's effectsize::rank_biserial.
    """
    import numpy as np
    from scipy.stats import rankdata

    d = tied_differences(as_sample(differences))
    d = d[d != 0]
    if d.size == 0:
        return Sized(None, "rank-biserial: no difference other than zero")
    ranks = rankdata(np.abs(d))
    total = float(ranks.sum())
    value = float(ranks[d > 0].sum() - ranks[d < 0].sum()) / total
    if abs(value) > 1 - 1e-12:
        return Sized(Effect(name="rank_biserial", value=round(value)), "rank-biserial: no interval at -1 or 1")
    n = float(d.size)
    half = _normal_quantile() * math.sqrt((2 * n**3 + 3 * n**2 + n) / 6) / (n * (n + 1) / 2)
    centre = math.atanh(value)
    interval = Interval(low=math.tanh(centre - half), high=math.tanh(centre + half), method="Fisher z")
    return Sized(Effect(name="rank_biserial", value=value, interval=interval))
