"""Before spending: the power of a design, the smallest effect it can detect, and the n that a wanted effect needs.

Closed form by the noncentral t where that is exact (pairs, two groups); simulation for everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from cbtrun.errors import StatisticsError
from cbtrun.records import Record

PairTest = Literal["t", "wilcoxon"]
GroupTest = Literal["welch", "mann-whitney"]
LARGEST_N = 100_000


class PowerPoint(Record):
    """One point of a power curve."""

    n: int
    """Pairs, or units in each group."""
    effect: float
    """dz for pairs, d for groups: in standard deviations."""
    power: float
    error: float | None = None
    """Monte-Carlo standard error of the power; none where it is exact."""


class PlannedPower(Record):
    """What a declared analysis can find."""

    analysis: str
    design: str
    n: tuple[int, ...]
    """Pairs, or units in each group."""
    alpha: float
    """Significance level that was planned with, corrected for the family where asked."""
    power: float
    detectable: float | None
    """Smallest effect (dz or d) found with that power; none where n is too small for any."""
    detectable_points: float | None = None
    """The same in points, where an SD is known."""
    curve: tuple[PowerPoint, ...] = ()
    sentence: str
    """In words."""


def power_of_pairs(n: int, dz: float, alpha: float = 0.05) -> float:
    """Power of the two-sided paired t test with n pairs; exact for normal differences."""
    from statsmodels.stats.power import TTestPower

    if n < 2:
        return 0.0
    return float(TTestPower().power(effect_size=abs(dz), nobs=n, alpha=alpha, alternative="two-sided"))


def power_of_groups(n: tuple[int, int], d: float, alpha: float = 0.05) -> float:
    """Power of the two-sided t test of two groups with equal variances; exact for normal values."""
    from statsmodels.stats.power import TTestIndPower

    if min(n) < 2:
        return 0.0
    return float(TTestIndPower().power(effect_size=abs(d), nobs1=n[0], ratio=n[1] / n[0], alpha=alpha))


def detectable_by_pairs(n: int, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Smallest dz that n pairs find with the wanted power; none below two pairs."""
    return _smallest_effect(lambda dz: power_of_pairs(n, dz, alpha), power) if n >= 2 else None


def detectable_by_groups(n: tuple[int, int], power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Smallest d that two groups find with the wanted power; none where a group has fewer than two."""
    return _smallest_effect(lambda d: power_of_groups(n, d, alpha), power) if min(n) >= 2 else None


def needed_pairs(dz: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Pairs that find dz with at least the wanted power. Raises StatisticsError where that is beyond 100,000."""
    return _smallest_n(lambda n: power_of_pairs(n, dz, alpha), power)


def needed_in_each_group(d: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Units in each of two equal groups that find d. Raises StatisticsError where that is beyond 100,000."""
    return _smallest_n(lambda n: power_of_groups((n, n), d, alpha), power)


def dz_of(d: float, correlation: float) -> float:
    """The dz of a difference of d (in SDs of one level) when a persona's two scores correlate.

    Source: Cohen 1988, section 2.3.5.
    """
    if not -1 <= correlation < 1:
        raise StatisticsError(f"correlation: {correlation} is not in [-1, 1)")
    return float(d / (2 * (1 - correlation)) ** 0.5)


def _checked(power: float) -> float:
    if not 0.05 < power < 1:
        raise StatisticsError(f"power: {power} is not between 0.05 and 1")
    return power


def _smallest_effect(power_at: Callable[[float], float], power: float) -> float:
    from scipy.optimize import brentq

    power, top = _checked(power), 0.5
    while power_at(top) < power:
        top *= 2
    return float(brentq(lambda effect: power_at(effect) - power, 1e-9, top, xtol=1e-10))


def _smallest_n(power_at: Callable[[int], float], power: float) -> int:
    power, low, high = _checked(power), 1, 2
    while power_at(high) < power:
        low, high = high, high * 2
        if high > LARGEST_N:
            raise StatisticsError(f"more than {LARGEST_N:,} would be needed: the effect is too small to plan for")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_at(middle) >= power else (middle, high)
    return high


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


def power_curve(
    design: Literal["paired", "independent"], effect: float, sizes: Sequence[int]
) -> tuple[PowerPoint, ...]:
    """Power at each size (pairs, or units in each of two equal groups) for one effect."""
    points = []
    for n in sizes:
        power = power_of_pairs(n, effect) if design == "paired" else power_of_groups((n, n), effect)
        points.append(PowerPoint(n=n, effect=effect, power=power))
    return tuple(points)


def planned_power(
    name: str,
    design: str,
    n: int | tuple[int, int],
    family: int = 1,
    power: float = 0.8,
    alpha: float = 0.05,
    sd: float | None = None,
) -> PlannedPower:
    """What an analysis of `n` pairs, or of two groups of n units, can find, before anything is spent.

    family: comparisons that p is corrected over; planned with alpha / family, the strictest step of Holm's procedure.
    sd: of the differences (pairs) or within groups, in points, from a pilot or the paper that is replicated.
    """
    sizes = (n,) if isinstance(n, int) else n
    level = alpha / max(1, family)
    detectable = _detectable(n, power, level)
    curve = _curve_of_effects(n, detectable, level) if detectable is not None else ()
    in_points = detectable * sd if detectable is not None and sd is not None else None
    return PlannedPower(
        analysis=name,
        design=design,
        n=sizes,
        alpha=level,
        power=power,
        detectable=detectable,
        detectable_points=in_points,
        curve=curve,
        sentence=_sentence(sizes, power, level, detectable, in_points),
    )


def _detectable(n: int | tuple[int, int], power: float, alpha: float) -> float | None:
    return detectable_by_pairs(n, power, alpha) if isinstance(n, int) else detectable_by_groups(n, power, alpha)


def _curve_of_effects(n: int | tuple[int, int], detectable: float, alpha: float) -> tuple[PowerPoint, ...]:
    """Power from no effect to twice the detectable one, in twenty steps."""
    effects = [detectable * step / 10 for step in range(21)]
    if isinstance(n, int):
        return tuple(PowerPoint(n=n, effect=effect, power=power_of_pairs(n, effect, alpha)) for effect in effects)
    return tuple(PowerPoint(n=min(n), effect=effect, power=power_of_groups(n, effect, alpha)) for effect in effects)


def _sentence(
    sizes: tuple[int, ...], power: float, alpha: float, detectable: float | None, points: float | None
) -> str:
    units = f"{sizes[0]} pairs" if len(sizes) == 1 else f"groups of {sizes[0]} and {sizes[1]}"
    if detectable is None:
        return f"With {units} no effect can be found: a t test needs at least two in each."
    name = "dz" if len(sizes) == 1 else "d"
    shown = f" ({points:.1f} points)" if points is not None else ""
    return f"With {units}, an effect of {name} = {detectable:.2f}{shown} is found with power {power:.2f} at p < {alpha:.2g}."


def planned_units(study: Mapping[str, Any]) -> int | None:
    """Personas that every arm will meet, from the study's text; none for imported sessions."""
    sessions = study.get("sessions") or {}
    block = (study.get("personas") or {}).get(sessions.get("personas")) or {}
    count = block.get("count")
    return int(count) if isinstance(count, int) else None
