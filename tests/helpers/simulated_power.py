"""Power by drawing whole studies: what the closed forms are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

PairTest = Literal["t", "wilcoxon"]
GroupTest = Literal["welch", "mann-whitney"]


@dataclass(frozen=True)
class PowerPoint:
    """Share of studies in which a test was significant."""

    n: int
    """Pairs, or units in each group."""
    effect: float
    """dz for pairs, d for groups: in standard deviations."""
    power: float
    error: float | None = None
    """Monte-Carlo standard error of the power; none where it is exact."""


def simulated_power_of_pairs(
    n: int,
    difference: float,
    sds: tuple[float, float],
    correlation: float,
    seed: int,
    test: PairTest = "t",
    scale: tuple[float, float] | None = None,
    mean: float = 0.0,
    alpha: float = 0.05,
    studies: int = 2000,
) -> PowerPoint:
    """Share of simulated studies in which the test is significant, with its Monte-Carlo error.

    Scores are normal with these SDs (in points) and this correlation within personas, the second level at `mean`; with
    `scale` they are rounded to whole points and cut at its ends, as real totals are.
    """
    import numpy as np

    from cbtrun.statistics.paired import paired_t_test, wilcoxon_test

    rng = np.random.default_rng(seed)
    covariance = correlation * sds[0] * sds[1]
    matrix = [[sds[0] ** 2, covariance], [covariance, sds[1] ** 2]]
    run = paired_t_test if test == "t" else wilcoxon_test
    found = 0
    for _ in range(studies):
        pair = _on_scale(rng.multivariate_normal([mean + difference, mean], matrix, size=n), scale)
        result = run(pair[:, 0] - pair[:, 1]).test
        found += result is not None and result.p < alpha
    share = found / studies
    spread = float(np.sqrt(max(0.0, sds[0] ** 2 + sds[1] ** 2 - 2 * covariance)))
    effect = difference / spread if spread else 0.0
    return PowerPoint(n=n, effect=effect, power=share, error=(share * (1 - share) / studies) ** 0.5)


def simulated_power_of_groups(
    n: tuple[int, int],
    difference: float,
    sds: tuple[float, float],
    seed: int,
    test: GroupTest = "mann-whitney",
    scale: tuple[float, float] | None = None,
    mean: float = 0.0,
    alpha: float = 0.05,
    studies: int = 2000,
) -> PowerPoint:
    """As `simulated_power_of_pairs`, for two independent groups; `n` of the point is that of the smaller one."""
    import numpy as np

    from cbtrun.statistics.two_groups import mann_whitney_test, welch_test

    rng = np.random.default_rng(seed)
    run = welch_test if test == "welch" else mann_whitney_test
    found = 0
    for _ in range(studies):
        first = _on_scale(rng.normal(mean + difference, sds[0], n[0]), scale)
        second = _on_scale(rng.normal(mean, sds[1], n[1]), scale)
        result = run(first, second).test
        found += result is not None and result.p < alpha
    share = found / studies
    pooled = ((sds[0] ** 2 + sds[1] ** 2) / 2) ** 0.5
    effect = difference / pooled if pooled else 0.0
    return PowerPoint(n=min(n), effect=effect, power=share, error=(share * (1 - share) / studies) ** 0.5)


def _on_scale(scores: Any, scale: tuple[float, float] | None) -> Any:
    import numpy as np

    return scores if scale is None else np.clip(np.round(scores), *scale)
