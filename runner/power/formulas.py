"""Before spending: the power of a design, the smallest effect it can detect, and the n that a wanted effect needs.

Closed form, exact for t and F tests and equivalence of normal values; rank tests are simulated (ranks.py). Each design
says by its hook `plan_power` which of them it needs.
"""

from __future__ import annotations

from collections.abc import Callable

from cbtrun.errors import StatisticsError

LARGEST_N = 100_000
LARGEST_EFFECT = 64.0


def power_of_pairs(n: int, dz: float, alpha: float = 0.05) -> float:
    """Power of the two-sided paired t test with n pairs; exact for normal differences."""
    return power_of_t(n - 1, abs(dz) * n**0.5, alpha) if n >= 2 else 0.0


def power_of_groups(n: tuple[int, int], d: float, alpha: float = 0.05) -> float:
    """Power of the two-sided t test of two groups with equal variances; exact for normal values."""
    first, second = n
    return power_of_t(sum(n) - 2, abs(d) * (first * second / sum(n)) ** 0.5, alpha) if min(n) >= 2 else 0.0


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


def power_of_t(df: float, noncentrality: float, alpha: float) -> float:
    """Power of a two-sided t test."""
    from math import isnan

    from scipy.special import nctdtr, stdtrit

    edge = float(stdtrit(df, 1 - alpha / 2))
    above = 1 - float(nctdtr(df, noncentrality, edge))
    below = float(nctdtr(df, noncentrality, -edge))
    return above + (0.0 if isnan(below) else below)  # NaN where it is below every float


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
