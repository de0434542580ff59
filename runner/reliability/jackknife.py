"""Intervals over sessions for coefficients of agreement without a formula of their own: leave one out, and look.

A percentile bootstrap of 8 sessions holds the truth in 82 to 91 of 100 studies. These hold it in 90 to 97 from `FEWEST`
sessions on, below which they are not given (benchmarks/interval_coverage.py, table in docs/statistics.md).
Source: Efron & Tibshirani 1993, "An introduction to the bootstrap", ch. 11; Fisher's z for a bounded coefficient.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cbtrun.contract.records import Interval
from cbtrun.statistics.samples import LEVEL, Estimated

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FEWEST = 10
"""Sessions below which no interval is given: so few cannot stand for others."""
TOO_FEW = f"no interval: fewer than {FEWEST} sessions"
PERFECT = "perfect agreement: no interval"
ONE_SESSION = "no interval: without one of the sessions agreement is perfect, so one session decides it"
UNDEFINED = "no interval: without one of the sessions it does not exist"
NO_SPREAD = "no interval: no session changes it"
MOST_PARTS = 200
"""Parts of the sessions that are left out in turn: single sessions up to here, groups of about one size beyond."""


def weights_without(sessions: int, seed: int) -> Array:
    """(parts, sessions): 1, and 0 where a session belongs to the part that is left out. seed: of what is grouped."""
    import numpy as np

    parts = min(sessions, MOST_PARTS)
    part_of = np.arange(sessions) % parts
    if parts < sessions:
        np.random.default_rng(seed).shuffle(part_of)
    weights: Array = (part_of != np.arange(parts)[:, None]).astype(np.float64)
    return weights


def with_interval(value: float, without: Array, sessions: int) -> Estimated:
    """A coefficient between -1 and 1 with its interval on Fisher's z scale, or the reason why there is none.

    without (parts,): the coefficient of what is left when each part is left out.
    """
    import numpy as np

    if value >= 1 - 1e-9:
        return Estimated(value, None, PERFECT)
    if sessions < FEWEST:
        return Estimated(value, None, TOO_FEW)
    if not np.isfinite(without).all():
        return Estimated(value, None, UNDEFINED)
    if np.abs([value, *without]).max() >= 1 - 1e-9:
        return Estimated(value, None, ONE_SESSION)
    half = _half_width(np.arctanh(without))
    if half <= 1e-9:
        return Estimated(value, None, NO_SPREAD)
    low, high = (math.tanh(math.atanh(value) + side * half) for side in (-1, 1))
    return Estimated(value, Interval(low=low, high=high, level=LEVEL, method="jackknife of sessions, Fisher z, t"))


def difference_with_interval(value: float, without: Array, sessions: int) -> Estimated:
    """A difference of two coefficients of the same sessions, with its interval; -2 to 2."""
    import numpy as np

    if sessions < FEWEST:
        return Estimated(value, None, TOO_FEW)
    if not np.isfinite(without).all():
        return Estimated(value, None, UNDEFINED)
    half = _half_width(without)
    if half <= 1e-9:
        return Estimated(value, None, NO_SPREAD)
    low, high = max(-2.0, value - half), min(2.0, value + half)
    return Estimated(value, Interval(low=low, high=high, level=LEVEL, method="jackknife of sessions, t"))


def _half_width(without: Array) -> float:
    from scipy.special import stdtrit

    parts = without.size
    error = math.sqrt((parts - 1) / parts * float(((without - without.mean()) ** 2).sum()))
    return float(stdtrit(parts - 1, (1 + LEVEL) / 2)) * error
