"""The interval of a mean whose values come in clusters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from cbtrun.contract.records import Interval
from cbtrun.statistics.student import student_quantile

Ends = tuple[float | None, float | None]


def clustered_interval(
    points: Sequence[float], clusters: Sequence[str], level: float = 0.95, ends: Ends = (None, None)
) -> Interval | None:
    """Confidence interval of a mean whose values come in clusters; none with fewer than two clusters, or without spread.

    points (n,) and the cluster of each. With one value a cluster it is the ordinary t interval. ends: of the scale, where
    known: no mean lies beyond them, so neither do the limits.
    Source: cluster-robust variance of a mean with the G/(G-1) correction and G-1 degrees of freedom
    (Cameron & Miller 2015, "A practitioner's guide to cluster-robust inference").
    """
    residual_sums: dict[str, float] = {}
    if len(set(clusters)) < 2:
        return None
    centre = fmean(points)
    for cluster, value in zip(clusters, points, strict=True):
        residual_sums[cluster] = residual_sums.get(cluster, 0.0) + value - centre
    count = len(residual_sums)
    variance = count / (count - 1) * math.fsum(total**2 for total in residual_sums.values()) / len(points) ** 2
    half = student_quantile(count - 1, 0.5 + level / 2) * math.sqrt(variance)
    if half <= 1e-12 * max(1.0, abs(centre)):
        return None  # equal values show no certainty
    method = "t over sessions" if count == len(points) else "t, clustered by persona"
    low, high = centre - half, centre + half
    if (ends[0] is not None and low < ends[0]) or (ends[1] is not None and high > ends[1]):
        method += ", cut at the end of the scale"
    low = low if ends[0] is None else max(low, min(ends[0], centre))
    high = high if ends[1] is None else min(high, max(ends[1], centre))
    return Interval(low=low, high=high, level=level, method=method)
