"""Agreement of pairs of raters, averaged: people with people beside models with people, on the same sessions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from cbtrun.reliability.jackknife import difference_with_interval, weights_without, with_interval
from cbtrun.reliability.kappa import has_one_score, mean_of_pairs, weighted_kappas
from cbtrun.statistics.samples import Estimated

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cbtrun.reliability.icc import Table

    Array = NDArray[np.float64]

Pairs = Sequence[tuple[int, int]]
PAIRWISE = ("icc_2_1", "kappa_quadratic")


class SideBySide(NamedTuple):
    """One coefficient's mean over two groups of pairs, and the difference second - first."""

    first: Estimated
    second: Estimated
    difference: Estimated


def side_by_side(table: Table, first: Pairs, second: Pairs, coefficient: str, seed: int) -> SideBySide:
    """Mean of a pairwise coefficient over two groups of pairs of columns, with intervals by the jackknife over sessions.

    table: (sessions, raters), NaN where missing. The same sessions are left out of both groups, so the difference is paired.
    """
    import numpy as np

    whole = np.ones((1, table.shape[0]))
    values = [float(_mean_of_pairs(table, pairs, coefficient, whole)[0]) for pairs in (first, second)]
    sessions = table.shape[0]
    weights = weights_without(sessions, seed)
    without = [_mean_of_pairs(table, pairs, coefficient, weights) for pairs in (first, second)]
    none = Estimated(None, note="no pair with sessions in common and scores that differ")
    flat = [all(has_one_score(table[:, a], table[:, b]) for a, b in pairs) for pairs in (first, second)]
    values = [math.nan if is_flat else value for value, is_flat in zip(values, flat, strict=True)]
    alone = [
        with_interval(value, of_group, sessions) if math.isfinite(value) else none
        for value, of_group in zip(values, without, strict=True)
    ]
    if not all(map(math.isfinite, values)):
        return SideBySide(alone[0], alone[1], none)
    gap = difference_with_interval(values[1] - values[0], without[1] - without[0], sessions)
    return SideBySide(alone[0], alone[1], gap)


def _mean_of_pairs(table: Table, pairs: Pairs, coefficient: str, weights: Array) -> Array:
    """(weightings,): mean over the pairs for which the coefficient exists."""
    import numpy as np

    of_pair = weighted_kappas if coefficient == "kappa_quadratic" else weighted_iccs
    if not pairs:
        return np.full(weights.shape[0], np.nan)
    return mean_of_pairs(np.stack([of_pair(table[:, a], table[:, b], weights) for a, b in pairs]))


def weighted_iccs(first: Array, second: Array, weights: Array) -> Array:
    """ICC(2,1) of two raters under each weighting of the sessions, from moments; NaN where it is not defined or leaves -1 to 1, as the
    estimator does where few sessions are rated in opposite ways.

    Source: Shrout & Fleiss 1979 with k = 2.
    """
    import numpy as np

    both = ~np.isnan(first) & ~np.isnan(second)
    a, b, w = first[both], second[both], weights[:, both]
    n = w.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_a, mean_b = w @ a / n, w @ b / n
        middle, gap = (a + b) / 2, a - b
        sessions = 2 * (w @ middle**2 - n * ((mean_a + mean_b) / 2) ** 2) / (n - 1)
        residual = (w @ gap**2 - n * (mean_a - mean_b) ** 2) / 2 / (n - 1)
        raters = n * (mean_a - mean_b) ** 2 / 2
        below = sessions + residual + 2 * (raters - residual) / n
        found: Array = np.where((n > 1) & (below > 1e-12), (sessions - residual) / below, np.nan)
        return np.where(np.abs(found) <= 1 + 1e-12, found, np.nan)
