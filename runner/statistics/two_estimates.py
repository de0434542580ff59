"""Two estimates of one thing, from two studies: do they differ by more than both err?

Source: Zou & Donner 2008, "Construction of confidence limits about effect measures: a general approach" (MOVER), which needs
of the first study its interval alone; the error from p: Altman & Bland 2011, "How to obtain the confidence interval from a
P value". False alarms: benchmarks/published_agreement.py, table in docs/statistics.md.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from cbtrun.contract.records import Interval
from cbtrun.statistics.student import student_quantile


def error_from_p(difference: float, p: float) -> float | None:
    """The standard error behind a difference with a two-sided p: |difference| / z(p).

    None where p tells nothing of it: a difference of 0, a p of 1, or a p of 0, which is rounded.
    """
    if difference == 0 or not 0 < p < 1:
        return None
    return abs(difference) / NormalDist().inv_cdf(1 - p / 2)


def difference_of_estimates(
    first: float, interval: Interval, second: float, error: float, df: int | None = None
) -> Interval:
    """Interval of first - second, at the level of the first's own interval.

    error: the second's standard error; df: its degrees of freedom, where they are known.
    """
    inside = (1 + interval.level) / 2
    other = (student_quantile(df, inside) if df else NormalDist().inv_cdf(inside)) * error
    low = first - second - math.hypot(first - interval.low, other)
    high = first - second + math.hypot(interval.high - first, other)
    return Interval(low=low, high=high, level=interval.level, method="MOVER, Zou & Donner 2008")
