"""Bootstrap intervals over sessions, for coefficients without a formula of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.contract.records import Interval
from cbtrun.statistics.samples import LEVEL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 1000
FEWEST = 5
"""Sessions below which no bootstrap interval is given: so few cannot stand for others."""


def resampled_weights(sessions: int, seed: int) -> NDArray[np.float64]:
    """(RESAMPLES, sessions): how often each session is drawn in each resample."""
    import numpy as np

    generator = np.random.default_rng(seed)
    return generator.multinomial(sessions, np.full(sessions, 1 / sessions), size=RESAMPLES).astype(np.float64)


def percentile_interval(values: NDArray[np.float64]) -> Interval | None:
    """The middle 95 % of a coefficient's resampled values; none when more than a twentieth of them do not exist."""
    import numpy as np

    finite = values[np.isfinite(values)]
    if finite.size < 0.95 * values.size:
        return None
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(
        low=float(low), high=float(high), level=LEVEL, method=f"bootstrap of sessions, {RESAMPLES} resamples"
    )
