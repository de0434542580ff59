"""Intraclass correlations of sessions x raters without gaps.

Source: Shrout & Fleiss 1979, "Intraclass correlations: uses in assessing rater reliability", Psychological Bulletin 86;
intervals as there and in McGraw & Wong 1996. Checked against Shrout & Fleiss's table 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbtrun.contract.records import Interval
from cbtrun.statistics.samples import LEVEL, Estimated

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Table = NDArray[np.float64]  # (sessions, raters), points; NaN where a score is missing

METHOD = "F, Shrout & Fleiss 1979"
OUTSIDE = "not shown: the estimate lies outside -1 to 1, as it can where raters contradict each other"
NO_RESIDUAL = "no interval: raters differ by a constant alone, the residual is 0"
MISSES = "no interval: its limits do not hold the estimate"
NO_LIMITS = "no interval: its limits do not exist for these scores"
NO_VARIANCE = "no variance to take a share of: sessions do not differ beyond what raters differ by"


@dataclass(frozen=True)
class MeanSquares:
    """Two-way analysis of variance of n sessions x k raters, one score a cell."""

    n: int
    k: int
    sessions: float
    raters: float
    residual: float


@dataclass(frozen=True)
class Correlations:
    """The three that are reported."""

    single_agreement: Estimated
    """ICC(2,1): one rater's score, raters' severity counts as error."""
    mean_agreement: Estimated
    """ICC(2,k): the mean of k raters, severity counts as error."""
    single_consistency: Estimated
    """ICC(3,1): one rater's score, severity does not count."""


def complete_rows(table: Table) -> Table:
    """The sessions that have a score in every column."""
    import numpy as np

    complete: Table = table[~np.isnan(table).any(axis=1)]
    return complete


def mean_squares(table: Table) -> MeanSquares:
    """Mean squares in squared points. table: without NaN, at least 2 x 2."""
    n, k = table.shape
    grand = table.mean()
    rows, columns = table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    residual = float(((table - rows - columns + grand) ** 2).sum()) / ((n - 1) * (k - 1))
    between = k * float(((rows - grand) ** 2).sum()) / (n - 1)
    return MeanSquares(n, k, between, n * float(((columns - grand) ** 2).sum()) / (k - 1), residual)


def intraclass_correlations(table: Table) -> Correlations:
    """ICC(2,1), ICC(2,k) and ICC(3,1) of the sessions without a missing score.

    None, with the reason, for fewer than two such sessions or raters, where no score differs from another, and where the
    estimate leaves -1 to 1. No interval, with the reason, where there is no residual or the limits miss the estimate.
    """
    complete = complete_rows(table)
    n, k = complete.shape
    if n < 2 or k < 2:
        return _none(f"needs two sessions scored by all of two raters; there are {n} of {k}")
    squares = mean_squares(complete)
    tiny = 1e-12 * max(1.0, float((complete**2).max()))
    if squares.sessions + squares.raters + squares.residual <= tiny:
        return _none("all scores are the same")
    if squares.residual <= tiny and squares.raters <= tiny:
        perfect = Estimated(1.0, None, "perfect agreement: no interval")
        return Correlations(perfect, perfect, perfect)
    return _correlations(squares, tiny)


def _none(why: str) -> Correlations:
    return Correlations(Estimated(None, note=why), Estimated(None, note=why), Estimated(None, note=why))


def _correlations(squares: MeanSquares, tiny: float) -> Correlations:
    """tiny: squared points that are nothing but rounding."""
    n, k, bms, jms, ems = squares.n, squares.k, squares.sessions, squares.raters, squares.residual
    above = bms - ems
    single = _ratio(above, bms + (k - 1) * ems + k * (jms - ems) / n, tiny)
    average = _ratio(above, bms + (jms - ems) / n, tiny)
    consistency = _ratio(above, bms + (k - 1) * ems, tiny)
    if ems <= tiny:
        return Correlations(*(_estimated(one, None, NO_RESIDUAL) for one in (single, average, consistency)))
    limits = None if single is None else _agreement_limits(squares, single)
    stepped = None if limits is None or average is None else tuple(_stepped_up(limit, k) for limit in limits)
    return Correlations(
        _estimated(single, limits),
        _estimated(average, stepped),
        _estimated(consistency, _consistency_limits(squares)),
    )


def _ratio(above: float, below: float, tiny: float) -> float | None:
    """A share of variance; none where the variance that it is a share of is nothing, or negative as estimates may be."""
    return above / below if below > tiny else None


def _estimated(value: float | None, limits: tuple[float, ...] | None, why: str = NO_LIMITS) -> Estimated:
    """why: the limits are none."""
    if value is None:
        return Estimated(None, note=NO_VARIANCE)
    if abs(value) > 1 + 1e-9:
        return Estimated(None, note=OUTSIDE)
    if limits is None:
        return Estimated(value, note=why)
    interval = _interval(limits)
    if interval.low <= value <= interval.high and interval.high - interval.low > 1e-9:
        return Estimated(value, interval)
    return Estimated(value, note=MISSES)


def _agreement_limits(squares: MeanSquares, rho: float) -> tuple[float, ...] | None:
    """Limits of ICC(2,1) by Satterthwaite's degrees of freedom; none where they do not exist."""
    from scipy.stats import f

    n, k, bms, jms, ems = squares.n, squares.k, squares.sessions, squares.raters, squares.residual
    ratio = jms / ems
    spread = n * (1 + (k - 1) * rho) - k * rho
    below = (n - 1) * k**2 * rho**2 * ratio**2 + spread**2
    df = (k - 1) * (n - 1) * (k * rho * ratio + spread) ** 2 / below if below > 0 else 0.0
    if df <= 0:
        return None
    tail = (1 + LEVEL) / 2
    lower, upper = float(f.ppf(tail, n - 1, df)), float(f.ppf(tail, df, n - 1))
    rest = k * jms + (k * n - k - n) * ems
    low = n * (bms - lower * ems) / (lower * rest + n * bms)
    high = n * (upper * bms - ems) / (rest + n * upper * bms)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _consistency_limits(squares: MeanSquares) -> tuple[float, ...]:
    from scipy.stats import f

    n, k = squares.n, squares.k
    ratio, tail = squares.sessions / squares.residual, (1 + LEVEL) / 2
    low = ratio / float(f.ppf(tail, n - 1, (n - 1) * (k - 1)))
    high = ratio * float(f.ppf(tail, (n - 1) * (k - 1), n - 1))
    return (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)


def _stepped_up(limit: float, k: int) -> float:
    """Spearman-Brown; a limit at which it has no meaning is -1, the lowest that is shown."""
    below = 1 + limit * (k - 1)
    return max(-1.0, k * limit / below) if below > 1e-9 else -1.0


def _interval(limits: tuple[float, ...]) -> Interval:
    return Interval(low=max(-1.0, limits[0]), high=min(1.0, limits[1]), level=LEVEL, method=METHOD)
