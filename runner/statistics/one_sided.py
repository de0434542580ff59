"""Limits that a mean is held to from one side: at its threshold a false pass comes about in 1 of 40 studies.

t is exact for normal values; for skewed ones the lower of it and Hall's limit is taken (Hall 1992, "On the removal of skewness by
transformation": t of a cubic in the skewness, inverted). Where every value is at one of the scale's two ends, one a cluster, the limit is exact as a share's
(Clopper & Pearson 1934). Where all values are equal t says nothing, and the scale does: of values at or above `low`, at most a
share (mean - low) / (c - low) lies at c or above (Markov), so n in a row have a chance of at most its nth power.
How often each passes falsely: benchmarks/gate_simulation.py, table in docs/gate.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from cbtrun.statistics.clustered import Ends, clustered_interval
from cbtrun.statistics.student import student_quantile

ERROR = 0.025
"""Chance of a false pass that a limit allows: one side of a 95 % interval."""
SAME = 1e-12
LEAST_SKEWNESS = 1e-6


@dataclass(frozen=True)
class Limit:
    """How low (or high) a mean may be, by what was seen."""

    value: float
    method: str


def lower_limit(points: Sequence[float], clusters: Sequence[str], ends: Ends = (None, None)) -> Limit | None:
    """The lowest mean that the values leave open; none with one cluster, or without spread on a scale without a lower end.

    points (n,) and the cluster of each; ends: of the scale.
    """
    if not points:
        return None
    low, high = ends
    if low is not None and high is not None and len(set(clusters)) == len(points) and _at_the_ends(points, low, high):
        return _of_share(points, low, high)
    if (interval := clustered_interval(points, clusters, ends=ends)) is not None:
        skewed = _by_skewness(points, clusters)
        if skewed >= interval.low:
            return Limit(interval.low, interval.method)
        return Limit(skewed if low is None else max(low, skewed), f"{interval.method}, for skewed scores (Hall)")
    centre = fmean(points)
    if low is None or len(set(clusters)) < 2:
        return None
    return Limit(low + (centre - low) * ERROR ** (1 / len(set(clusters))), "no spread: by the end of the scale")


def upper_limit(points: Sequence[float], clusters: Sequence[str], ends: Ends = (None, None)) -> Limit | None:
    """The highest mean that the values leave open: see `lower_limit`."""
    low, high = ends
    turned = (None if high is None else -high, None if low is None else -low)
    found = lower_limit([-one for one in points], clusters, turned)
    return None if found is None else Limit(0.0 - found.value, found.method)


def lower_limit_of_groups(first: Sequence[float], second: Sequence[float]) -> Limit | None:
    """The lowest difference of means (first minus second) that two independent groups leave open, by Welch's t."""
    from cbtrun.statistics.two_groups import mean_difference

    interval = mean_difference(first, second).interval
    return None if interval is None else Limit(interval.low, interval.method)


def _by_skewness(points: Sequence[float], clusters: Sequence[str]) -> float:
    """Hall's lower limit of a mean over clusters: what each adds to it is one value."""
    centre, sums = fmean(points), dict[str, float]()
    for cluster, value in zip(clusters, points, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value - centre
    n = len(sums)
    away = [one * n / len(points) for one in sums.values()]  # (n,), mean 0, points
    spread = math.sqrt(fmean(one**2 for one in away))
    skewness = fmean(one**3 for one in away) / spread**3
    far = student_quantile(n - 1, 1 - ERROR) / math.sqrt(n)
    if abs(skewness) < LEAST_SKEWNESS:
        return centre - far * spread * math.sqrt(n / (n - 1))
    inner = 1 + skewness * (far - skewness / (6 * n))
    return centre - spread * math.sqrt(n / (n - 1)) * 3 / skewness * (math.cbrt(inner) - 1)


def _at_the_ends(points: Sequence[float], low: float, high: float) -> bool:
    return all(abs(one - low) <= SAME or abs(one - high) <= SAME for one in points)


def _of_share(points: Sequence[float], low: float, high: float) -> Limit:
    from scipy.stats import beta

    n, above = len(points), sum(1 for one in points if abs(one - high) <= SAME)
    share = float(beta.ppf(ERROR, above, n - above + 1)) if above else 0.0
    return Limit(low + (high - low) * share, "share, exact (Clopper-Pearson)")
