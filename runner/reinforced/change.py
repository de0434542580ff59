"""How far a mean moved between two windows of a training whose sessions come in personas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from cbtrun.contract.records import Interval
from cbtrun.statistics.student import student_quantile

Value = tuple[str, float]
"""Persona, and what its session scored."""
FEWEST_PERSONAS = 4
"""In either window; with fewer nothing is judged."""


@dataclass(frozen=True)
class Change:
    """Mean now minus mean at the start."""

    value: float
    error: float
    """Standard error, from leaving out one persona at a time."""
    df: int
    n_start: int
    n_now: int

    def bound(self, alpha: float) -> float:
        """Half the width on one side: the truth lies beyond `value` plus this in a share `alpha` of such looks."""
        return student_quantile(self.df, 1 - alpha) * self.error

    def interval(self, level: float = 0.95) -> Interval | None:
        """Its confidence interval; none where nothing varies."""
        half = self.bound((1 - level) / 2)
        if half <= 1e-12 * max(1.0, abs(self.value)):
            return None
        return Interval(
            low=self.value - half, high=self.value + half, level=level, method="t, personas left out in turn"
        )


def change(start: Sequence[Value], now: Sequence[Value]) -> Change | None:
    """The difference of two means, its error by the jackknife over personas; none with fewer than FEWEST_PERSONAS in either.

    A persona that stands in both windows is left out of both at once, so what belongs to the persona cancels as it does in
    pairs, and a rise that differs between personas widens the error.
    Source: MacKinnon, Nielsen & Webb 2023, "Fast and reliable jackknife and bootstrap methods for cluster-robust inference"
    (CV3; t with G - 1 degrees of freedom, G the personas of the window that has fewer).
    """
    sums = (_by_persona(start), _by_persona(now))
    fewest = min(map(len, sums))
    if fewest < FEWEST_PERSONAS:
        return None
    whole = [(math.fsum(total for total, _ in one.values()), sum(count for _, count in one.values())) for one in sums]
    without = []
    for persona in {**sums[0], **sums[1]}:
        means = []
        for (total, count), one in zip(whole, sums, strict=True):
            own, own_count = one.get(persona, (0.0, 0))
            means.append((total - own) / (count - own_count))
        without.append(means[1] - means[0])
    value = whole[1][0] / whole[1][1] - whole[0][0] / whole[0][1]
    many = len(without)
    error = math.sqrt((many - 1) / many * math.fsum((one - value) ** 2 for one in without))
    return Change(value, error, fewest - 1, whole[0][1], whole[1][1])


def mean_by_persona(values: Sequence[Value]) -> Change | None:
    """One mean against zero, with the same error; none with fewer than FEWEST_PERSONAS."""
    sums = _by_persona(values)
    if len(sums) < FEWEST_PERSONAS:
        return None
    total, count = math.fsum(value for _, value in values), len(values)
    without = [(total - own) / (count - own_count) for own, own_count in sums.values()]
    many = len(without)
    error = math.sqrt((many - 1) / many * math.fsum((one - total / count) ** 2 for one in without))
    return Change(total / count, error, many - 1, 0, count)


def spread_within(start: Sequence[float], now: Sequence[float]) -> float:
    """SD of sessions within the two windows, pooled; 0 where nothing varies. A change is told in it where points differ."""
    degrees = len(start) + len(now) - 2
    if min(len(start), len(now)) < 2:
        return 0.0
    squares = variance(start) * (len(start) - 1) + variance(now) * (len(now) - 1)
    pooled = math.sqrt(squares / degrees)
    return pooled if pooled > 1e-9 * max(1.0, abs(fmean(now))) else 0.0


def _by_persona(values: Sequence[Value]) -> dict[str, tuple[float, int]]:
    """Persona -> sum and number of its sessions."""
    found: dict[str, tuple[float, int]] = {}
    for persona, value in values:
        total, count = found.get(persona, (0.0, 0))
        found[persona] = (total + value, count + 1)
    return found
