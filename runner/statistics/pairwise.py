"""Every pair of levels after an omnibus test: Tukey, Games-Howell, Dunn, Nemenyi."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from cbtrun.contract.records import Interval, Test
from cbtrun.statistics.samples import LEVEL, Estimated, as_sample, has_no_spread
from cbtrun.statistics.ties import tied, tied_groups

if TYPE_CHECKING:
    from cbtrun.statistics.omnibus import Blocks
    from cbtrun.statistics.samples import Array

Pairwise = dict[tuple[int, int], tuple[Test | None, Estimated]]
"""(first, second) position of the levels, first < second -> the test, and the difference of means with its interval."""


def tukey(groups: Sequence[Sequence[float] | Array], equal_variances: bool = True) -> Pairwise:
    """Tukey-Kramer, or Games-Howell where variances differ: p and intervals hold for all pairs together.

    Source: Tukey 1949, Kramer 1956, Games & Howell 1976, as SciPy has them; the statistic is the studentised range q.
    """
    from scipy.stats import tukey_hsd

    samples = [as_sample(group) for group in groups]
    name = "tukey" if equal_variances else "games-howell"
    pairs = list(combinations(range(len(samples)), 2))
    flat = [sample for sample in samples if has_no_spread(sample)]
    if min(sample.size for sample in samples) < 2 or len(flat) == len(samples) or (flat and not equal_variances):
        why = f"{name}: a group has fewer than two values, or no spread"
        return {(i, j): (None, Estimated(_difference(samples[i], samples[j]), None, why)) for i, j in pairs}
    found = tukey_hsd(*samples, equal_var=equal_variances)
    limits = found.confidence_interval(LEVEL)
    made: Pairwise = {}
    for i, j in pairs:
        q, df = _studentised(samples, i, j, equal_variances)
        p = min(1.0, max(0.0, float(found.pvalue[i, j])))
        test = Test(name=name, statistic=q, df=float(len(samples)), df_error=df, p=p, p_adjusted=p)
        method = f"{name}, simultaneous"
        interval = Interval(low=float(limits.low[i, j]), high=float(limits.high[i, j]), method=method)
        made[i, j] = (test, Estimated(_difference(samples[i], samples[j]), interval))
    return made


def _studentised(samples: Sequence[Array], i: int, j: int, pooled: bool) -> tuple[float, float]:
    """Studentised range statistic of a pair and its error degrees of freedom."""
    a, b = samples[i], samples[j]
    if pooled:
        df = float(sum(sample.size for sample in samples) - len(samples))
        mean_square = sum((sample.size - 1) * float(sample.var(ddof=1)) for sample in samples) / df
        parts = (mean_square / a.size, mean_square / b.size)
    else:
        parts = (float(a.var(ddof=1)) / a.size, float(b.var(ddof=1)) / b.size)
        df = sum(parts) ** 2 / (parts[0] ** 2 / (a.size - 1) + parts[1] ** 2 / (b.size - 1))
    return abs(_difference(a, b) or 0.0) / math.sqrt(sum(parts) / 2), df


def _difference(first: Array, second: Array) -> float | None:
    return float(first.mean() - second.mean()) if first.size and second.size else None


def dunn(groups: Sequence[Sequence[float] | Array]) -> dict[tuple[int, int], Test | None]:
    """Dunn's z of mean ranks after Kruskal-Wallis, corrected for ties; p two-sided and not yet adjusted.

    Source: Dunn 1964, "Multiple comparisons using rank sums".
    """
    import numpy as np
    from scipy.special import ndtr
    from scipy.stats import rankdata

    samples = tied_groups([as_sample(group) for group in groups])
    pooled = np.concatenate(samples)
    pairs = list(combinations(range(len(samples)), 2))
    if min(sample.size for sample in samples) < 1 or has_no_spread(pooled):
        return dict.fromkeys(pairs)
    ranks, n = rankdata(pooled), pooled.size
    ties = np.unique(pooled, return_counts=True)[1].astype(float)
    variance = n * (n + 1) / 12 - float((ties**3 - ties).sum()) / (12 * (n - 1))
    means = [float(part.mean()) for part in np.split(ranks, np.cumsum([sample.size for sample in samples])[:-1])]
    made: dict[tuple[int, int], Test | None] = {}
    for i, j in pairs:
        z = (means[i] - means[j]) / math.sqrt(variance * (1 / samples[i].size + 1 / samples[j].size))
        made[i, j] = Test(name="dunn", statistic=z, p=2 * float(ndtr(-abs(z))))
    return made


def nemenyi(blocks: Blocks) -> dict[tuple[int, int], Test | None]:
    """Nemenyi's comparison of mean ranks after Friedman; p holds for all pairs together.

    blocks (n personas, k levels). Source: Demsar 2006, "Statistical comparisons of classifiers", equation for CD.
    """
    import numpy as np
    from scipy.stats import rankdata, studentized_range

    n, k = blocks.shape
    pairs = list(combinations(range(k), 2))
    if n < 2:
        return dict.fromkeys(pairs)
    means = rankdata(tied(blocks), axis=1).mean(axis=0)
    made: dict[tuple[int, int], Test | None] = {}
    for i, j in pairs:
        q = abs(float(means[i] - means[j])) / math.sqrt(k * (k + 1) / (12 * n))
        p = min(1.0, max(0.0, float(studentized_range.sf(q, k, np.inf))))
        made[i, j] = Test(name="nemenyi", statistic=q, df=float(k), p=p, p_adjusted=p)
    return made
