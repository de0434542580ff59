"""Krippendorff's alpha for ordinal and interval scores, with missing ones.

Source: Krippendorff 2011, "Computing Krippendorff's alpha-reliability", checked against the worked example there.
The `krippendorff` package is GPL-3.0 and so not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cbtrun.reliability.jackknife import weights_without, with_interval
from cbtrun.statistics.samples import Estimated
from cbtrun.statistics.ties import tied

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cbtrun.reliability.icc import Table

    Array = NDArray[np.float64]

LARGEST = 20_000_000
"""Cells of the largest table (sessions x different scores) that gets an interval."""


def krippendorff_alpha(table: Table, level: Literal["ordinal", "interval"], seed: int = 0) -> Estimated:
    """1 minus observed over expected disagreement; sessions with a single score are left out, as alpha asks.

    The interval is by the jackknife over sessions. None, with the reason, where nothing can be compared or all is the same.
    """
    import numpy as np

    values, counts = _counts(table)  # (different scores,), (sessions, different scores)
    if counts.shape[0] == 0:
        return Estimated(None, note="no session has two scores")
    if values.size < 2:
        return Estimated(None, note="all scores are the same")
    whole = float(_alphas(values, counts, np.ones((1, counts.shape[0])), level)[0])
    if not np.isfinite(whole):  # they differ by less than a disagreement that can be divided by
        return Estimated(None, note="all scores are the same")
    if counts.size > LARGEST:
        return Estimated(whole, note="no interval: too many different scores")
    without = _alphas(values, counts, weights_without(counts.shape[0], seed), level)
    return with_interval(whole, without, counts.shape[0])


def _counts(table: Table) -> tuple[Array, Array]:
    """The different scores, and how often each session with two or more scores has each of them."""
    import numpy as np

    there = ~np.isnan(table)
    pairable = there.sum(axis=1) > 1
    rows, present = table[pairable], there[pairable]
    rows[present] = tied(rows[present])
    values = np.unique(rows[present])
    counts = np.zeros((rows.shape[0], values.size))
    for row, of_row in zip(range(rows.shape[0]), present, strict=True):
        np.add.at(counts[row], np.searchsorted(values, rows[row][of_row]), 1)
    return values, counts


def _alphas(values: Array, counts: Array, weights: Array, level: str) -> Array:
    """Alpha of each weighting of the sessions; NaN where there is no spread. weights: (weightings, sessions).

    Ordinal differences are differences of mid-ranks, so ordinal alpha is interval alpha of the mid-ranks.
    """
    import numpy as np

    marginals = weights @ counts  # (weightings, values)
    totals = marginals.sum(axis=1)
    if level == "ordinal":
        points = marginals.cumsum(axis=1) - marginals / 2
    else:
        points = np.broadcast_to(values - values.mean(), marginals.shape)
    sizes = counts.sum(axis=1)  # scores a session
    squares = counts @ (points**2).T  # (sessions, weightings)
    sums = counts @ points.T
    within = 2 * (sizes[:, None] * squares - sums**2) / (sizes - 1)[:, None]
    spread = totals * (marginals * points**2).sum(axis=1) - (marginals * points).sum(axis=1) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):  # a weighting that leaves nothing, or nothing that differs
        observed = (weights.T * within).sum(axis=0) / totals
        expected = 2 * spread / (totals * (totals - 1))
        found: Array = np.where(expected > 1e-12, 1 - observed / expected, np.nan)
    return found
