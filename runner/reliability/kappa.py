"""Quadratic weighted kappa: of two raters by statsmodels, of several as the mean over pairs.

Source: Cohen 1968; the mean over pairs is Light 1971. With quadratic weights kappa is a ratio of moments (Fleiss & Cohen
1973), which is what its interval is worked out from, and what scores between the scale's points are given.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from cbtrun.reliability.jackknife import weights_without, with_interval
from cbtrun.statistics.samples import Estimated

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cbtrun.reliability.icc import Table

    Array = NDArray[np.float64]

ONE_SCORE = "a rater gives every session the same score: kappa is 0 then, whatever the other does"
LARGEST_TABLE = 200
"""Different whole scores up to which statsmodels' table of both raters' scores is made."""


def quadratic_kappa(table: Table, seed: int = 0) -> Estimated:
    """Mean of the pairs' weighted kappas; each pair over the sessions that both have scored.

    The interval is by the jackknife over sessions. None, with the reason, where no pair of raters differs in anything, or
    where one of each pair gives every session the same score: kappa is 0 then, whatever the other does.
    """
    import numpy as np

    table = table[(~np.isnan(table)).sum(axis=1) > 1]
    pairs = list(combinations(range(table.shape[1]), 2))
    kappas = [kappa_of_pair(table[:, first], table[:, second]) for first, second in pairs]
    there = [kappa for kappa in kappas if kappa is not None]
    if not there:
        return Estimated(None, note="no two raters with sessions in common, or all their scores are the same")
    if all(has_one_score(table[:, first], table[:, second]) for first, second in pairs):
        return Estimated(None, note=ONE_SCORE)
    weights = weights_without(table.shape[0], seed)
    of_pairs = np.stack([weighted_kappas(table[:, first], table[:, second], weights) for first, second in pairs])
    found = with_interval(float(np.mean(there)), mean_of_pairs(of_pairs), table.shape[0])
    told = [f"mean of {len(there)} pairs"] if len(pairs) > 1 else []
    return replace(found, note="; ".join([*told, *filter(None, [found.note])]) or None)


def mean_of_pairs(of_pairs: Array) -> Array:
    """(weightings,): mean over the pairs (pairs, weightings) that exist; NaN where none does."""
    import numpy as np

    counted = (~np.isnan(of_pairs)).sum(axis=0)
    means: Array = np.where(counted > 0, np.nansum(of_pairs, axis=0) / np.maximum(counted, 1), np.nan)
    return means


def has_one_score(first: Array, second: Array) -> bool:
    """Whether one of two raters gives every session that both rated the same score."""
    import numpy as np

    both = ~np.isnan(first) & ~np.isnan(second)
    return any(np.ptp(scores[both]) <= 1e-9 if both.any() else True for scores in (first, second))


def kappa_of_pair(first: Array, second: Array) -> float | None:
    """Weighted kappa of two raters' scores (NaN where missing); none when it is not defined."""
    import numpy as np

    both = ~np.isnan(first) & ~np.isnan(second)
    a, b = first[both], second[both]
    if a.size < 2 or np.ptp(np.concatenate([a, b])) == 0:
        return None
    if not _are_whole(a, b) or np.ptp(np.concatenate([a, b])) >= LARGEST_TABLE:
        kappa = float(weighted_kappas(a, b, np.ones((1, a.size)))[0])
        return kappa if np.isfinite(kappa) else None  # scores that differ by next to nothing
    from statsmodels.stats.inter_rater import cohens_kappa

    lowest = int(min(a.min(), b.min()))
    size = int(max(a.max(), b.max())) - lowest + 1
    counts = np.zeros((size, size))
    np.add.at(counts, ((a - lowest).astype(int), (b - lowest).astype(int)), 1)
    return float(cohens_kappa(counts, wt="quadratic", return_results=False))


def weighted_kappas(first: Array, second: Array, weights: Array) -> Array:
    """Kappa under each weighting of the sessions, from moments; NaN where it is not defined."""
    import numpy as np

    both = ~np.isnan(first) & ~np.isnan(second)
    a, b, w = first[both], second[both], weights[:, both]
    total = w.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_a, mean_b = w @ a / total, w @ b / total
        observed = w @ (a - b) ** 2 / total
        expected = w @ a**2 / total - mean_a**2 + w @ b**2 / total - mean_b**2 + (mean_a - mean_b) ** 2
        found: Array = np.where(expected > 1e-12, 1 - observed / expected, np.nan)
    return found


def _are_whole(*scores: Array) -> bool:
    import numpy as np

    return all(bool(np.all(one == np.round(one))) for one in scores)
