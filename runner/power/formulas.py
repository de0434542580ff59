"""Before spending: the power of a design, the smallest effect it can detect, and the n that a wanted effect needs.

Closed form where that is exact (t and F tests, equivalence, all of normal values); simulation for rank tests and for
scores on a real scale. Each design says by its hook `plan_power` which of them it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from cbtrun.contract.records import Record
from cbtrun.errors import StatisticsError

PairTest = Literal["t", "wilcoxon"]
GroupTest = Literal["welch", "mann-whitney"]
LARGEST_N = 100_000
LARGEST_EFFECT = 64.0


class PowerPoint(Record):
    """One point of a power curve."""

    n: int
    """Pairs, or units in each group."""
    effect: float
    """dz for pairs, d for groups: in standard deviations."""
    power: float
    error: float | None = None
    """Monte-Carlo standard error of the power; none where it is exact."""


def power_of_pairs(n: int, dz: float, alpha: float = 0.05) -> float:
    """Power of the two-sided paired t test with n pairs; exact for normal differences."""
    return _power_of_t(n - 1, abs(dz) * n**0.5, alpha) if n >= 2 else 0.0


def power_of_groups(n: tuple[int, int], d: float, alpha: float = 0.05) -> float:
    """Power of the two-sided t test of two groups with equal variances; exact for normal values."""
    first, second = n
    return _power_of_t(sum(n) - 2, abs(d) * (first * second / sum(n)) ** 0.5, alpha) if min(n) >= 2 else 0.0


def power_of_f(df: tuple[float, float], noncentrality: float, alpha: float = 0.05) -> float:
    """Power of an F test; exact for normal values. df: of the effect and of the error."""
    from scipy.special import fdtri, ncfdtr

    if min(df) < 1:
        return 0.0
    return float(1 - ncfdtr(*df, noncentrality, fdtri(*df, 1 - alpha)))


def power_of_equivalence(units: float, df: float, margin: float, alpha: float = 0.05) -> float:
    """Power of the two one-sided t tests to show two equal levels alike; margin in SDs, exact for normal values.

    units: what the variance of the difference is divided by: pairs, or half of a group's size. The mean must fall
    between the margins less t times its error, averaged here over the error's own distribution.
    Source: Schuirmann 1987; Phillips 1990.
    """
    import numpy as np
    from scipy.special import chdtri, ndtr, stdtrit

    if df < 1:
        return 0.0
    grid = (np.arange(4000) + 0.5) / 4000
    sd = np.sqrt(chdtri(df, grid) / df)
    reach = margin * units**0.5 - stdtrit(df, 1 - alpha) * sd
    return float(np.mean(np.clip(2 * ndtr(reach) - 1, 0, None)))


def _power_of_t(df: float, noncentrality: float, alpha: float) -> float:
    from math import isnan

    from scipy.special import nctdtr, stdtrit

    edge = float(stdtrit(df, 1 - alpha / 2))
    above = 1 - float(nctdtr(df, noncentrality, edge))
    below = float(nctdtr(df, noncentrality, -edge))
    return above + (0.0 if isnan(below) else below)  # NaN where it is below every float


def detectable_by_pairs(n: int, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Smallest dz that n pairs find with the wanted power; none below two pairs."""
    return smallest_effect(lambda dz: power_of_pairs(n, dz, alpha), power) if n >= 2 else None


def detectable_by_groups(n: tuple[int, int], power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Smallest d that two groups find with the wanted power; none where a group has fewer than two."""
    return smallest_effect(lambda d: power_of_groups(n, d, alpha), power) if min(n) >= 2 else None


def needed_pairs(dz: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Pairs that find dz with at least the wanted power. Raises StatisticsError where that is beyond 100,000."""
    return smallest_n(lambda n: power_of_pairs(n, dz, alpha), power)


def needed_in_each_group(d: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Units in each of two equal groups that find d. Raises StatisticsError where that is beyond 100,000."""
    return smallest_n(lambda n: power_of_groups((n, n), d, alpha), power)


def dz_of(d: float, correlation: float) -> float:
    """The dz of a difference of d (in SDs of one level) when a persona's two scores correlate.

    Source: Cohen 1988, section 2.3.5.
    """
    if not -1 <= correlation < 1:
        raise StatisticsError(f"correlation: {correlation} is not in [-1, 1)")
    return float(d / (2 * (1 - correlation)) ** 0.5)


def smallest_effect(power_at: Callable[[float], float], power: float) -> float | None:
    """The effect at which the power reaches what is wanted; none where no effect, however large, does it.

    power_at: rises with the effect. A rank test of few units may never reach a small p.
    """
    from scipy.optimize import brentq

    power, top = _checked(power), 0.5
    while power_at(top) < power:
        top *= 2
        if top > LARGEST_EFFECT:
            return None
    return float(brentq(lambda effect: power_at(effect) - power, 1e-9, top, xtol=1e-10))


def smallest_n(power_at: Callable[[int], float], power: float, largest: int = LARGEST_N) -> int:
    """The n at which the power reaches what is wanted. Raises StatisticsError where that is beyond `largest`."""
    power, low, high = _checked(power), 1, 2
    while power_at(high) < power:
        low, high = high, high * 2
        if high > largest:
            raise StatisticsError(f"more than {largest:,} would be needed: the effect is too small to plan for")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_at(middle) >= power else (middle, high)
    return high


def _checked(power: float) -> float:
    if not 0.05 < power < 1:
        raise StatisticsError(f"power: {power} is not between 0.05 and 1")
    return power


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
