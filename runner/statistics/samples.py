"""Numbers on their way into a method: checked once, described in one way."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbtrun.contract.records import Effect, Interval, Test
from cbtrun.errors import StatisticsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LEVEL = 0.95
"""Confidence level of every interval."""


@dataclass(frozen=True)
class Estimated:
    """A value with its interval, or why one of them is missing."""

    value: float | None
    interval: Interval | None = None
    note: str | None = None


@dataclass(frozen=True)
class Tested:
    """A test, or why it could not be done."""

    test: Test | None
    note: str | None = None


@dataclass(frozen=True)
class Sized:
    """A standardised effect, or why there is none."""

    effect: Effect | None
    note: str | None = None


@dataclass(frozen=True)
class Description:
    """Count, mean, SD (n - 1) and median; none where there are too few values."""

    n: int
    mean: float | None
    sd: float | None
    median: float | None


def as_sample(values: Sequence[float] | Array, name: str = "values") -> Array:
    """The values as a float array (n,). Raises StatisticsError on NaN, infinities or more than one dimension."""
    import numpy as np

    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1:
        raise StatisticsError(f"{name}: expected one row of numbers, got {sample.ndim} dimensions")
    if not np.isfinite(sample).all():
        raise StatisticsError(f"{name}: NaN or infinite values are refused; a missing value is None with a reason")
    return sample


def describe(values: Sequence[float] | Array) -> Description:
    """Count, mean, SD and median of one group, in the values' own unit."""
    import numpy as np

    sample = as_sample(values)
    if sample.size == 0:
        return Description(0, None, None, None)
    sd = float(sample.std(ddof=1)) if sample.size > 1 else None
    return Description(int(sample.size), float(sample.mean()), sd, float(np.median(sample)))


def has_no_spread(sample: Array) -> bool:
    """True when the sample's SD is zero but for rounding: relative to the size of its values."""
    import numpy as np

    if sample.size < 2:
        return True
    return bool(np.ptp(sample) <= 1e-12 * max(1.0, float(np.abs(sample).max())))


@contextmanager
def one_constant_group_allowed() -> Iterator[None]:
    """SciPy warns of nearly equal values in a group; callers have made sure that there is spread where it is needed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Precision loss occurred", RuntimeWarning)
        yield


MISSES = "its limits do not hold the estimate, or have no width"


def misses(value: float | None, interval: Interval | None) -> bool:
    """Whether an interval does not hold what it is about (but for rounding), has no width, or is about nothing: it is not to
    be shown.
    """
    if interval is None:
        return False
    if value is None:
        return True
    slack = 1e-9 * max(1.0, abs(value))
    return (
        interval.high - interval.low <= 1e-12 * max(1.0, abs(value))
        or not interval.low - slack <= value <= interval.high + slack
    )


def stored_float(value: float) -> float:
    """The value at 12 significant digits, so that the last bits of a library cannot change a result file."""
    if not math.isfinite(value):
        raise StatisticsError("a result is not finite")
    return float(f"{value:.12g}")
