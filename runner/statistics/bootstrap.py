"""Studentised bootstrap (bootstrap-t) of a mean or a difference of means: as t's interval, but with tails of the data's own.

BCa's intervals of means are too short at the sizes that studies have: they cover 0.70 with 3 units, 0.89 with 12 near the
ceiling of a scale. The studentised ones keep to their level from 8 units on; below that none is given
(benchmarks/interval_coverage.py, table in docs/statistics.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cbtrun.contract.records import Interval
from cbtrun.statistics.samples import LEVEL, Estimated, as_sample, has_no_spread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cbtrun.statistics.samples import Array

RESAMPLES = 4999
FEWEST = 8
"""Units (of each group) below which there is no interval: resamples of so few say little about others."""
LARGEST = 2000
"""Units above which the interval is left out: it agrees with t's there."""
AT_ONCE = 2_000_000
"""Values drawn at once."""


def bootstrap_mean(values: Sequence[float] | Array, seed: int, resamples: int = RESAMPLES) -> Estimated:
    """Interval of the mean of independent units (a persona's difference, say), each resampled as a whole."""
    return _studentised([as_sample(values)], seed, resamples)


def bootstrap_difference(
    first: Sequence[float] | Array, second: Sequence[float] | Array, seed: int, resamples: int = RESAMPLES
) -> Estimated:
    """Interval of the difference of two means; each group is resampled by itself, unit by unit."""
    return _studentised([as_sample(first), as_sample(second)], seed, resamples)


def _studentised(groups: list[Array], seed: int, resamples: int) -> Estimated:
    """Source: Efron 1981; Hall 1988, "Theoretical comparison of bootstrap confidence intervals"; Welch's error for two groups."""
    import numpy as np

    if min(group.size for group in groups) < FEWEST:
        return Estimated(None, None, f"no bootstrap interval: fewer than {FEWEST} units")
    if all(has_no_spread(group) for group in groups):
        return Estimated(None, None, "no bootstrap interval: no spread")
    value = float(groups[0].mean()) - (float(groups[1].mean()) if len(groups) > 1 else 0.0)
    if max(group.size for group in groups) > LARGEST:
        return Estimated(value, None, f"no bootstrap interval: more than {LARGEST} units, where it agrees with t")
    rng = np.random.default_rng(seed)
    means, squares = np.zeros(resamples), np.zeros(resamples)  # of each resample: mean, squared error of the mean
    for sign, group in zip((1, -1), groups, strict=False):
        mean, square = _resampled(group, rng, resamples)
        means += sign * mean
        squares += square
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.sort(np.nan_to_num((means - value) / np.sqrt(squares), nan=0.0, posinf=np.inf, neginf=-np.inf))
    tail = round((1 - LEVEL) / 2 * (resamples + 1))
    error = math.sqrt(sum(float(group.var(ddof=1)) / group.size for group in groups))
    low, high = value - float(t[-tail]) * error, value - float(t[tail - 1]) * error
    if not (math.isfinite(low) and math.isfinite(high)):
        return Estimated(value, None, "no bootstrap interval: too many resamples have no spread")
    if not low <= value <= high:
        return Estimated(value, None, "no bootstrap interval: it would miss the estimate")
    method = f"studentised bootstrap of the units, {resamples} resamples"
    return Estimated(value, Interval(low=low, high=high, method=method))


def _resampled(group: Array, rng: np.random.Generator, resamples: int) -> tuple[NDArray[np.float64], Array]:
    """(resamples,) means, and squared errors of these means; 0 where a resample holds one value alone."""
    import numpy as np

    batch = max(1, AT_ONCE // group.size)
    means, squares = [], []
    for start in range(0, resamples, batch):
        drawn = group[rng.integers(0, group.size, (min(batch, resamples - start), group.size))]
        means.append(drawn.mean(axis=1))
        same = np.ptp(drawn, axis=1) <= 1e-12 * max(1.0, float(np.abs(group).max()))
        squares.append(np.where(same, 0.0, drawn.var(axis=1, ddof=1) / group.size))
    return np.concatenate(means), np.concatenate(squares)
