"""How far two ratings of one session lie apart, and how severe each rater is."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

from cbtrun.contract.records import Interval
from cbtrun.reliability.records import Limits, Severity
from cbtrun.statistics.samples import LEVEL, has_no_spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cbtrun.reliability.icc import Table

    Array = NDArray[np.float64]

LIMIT = 1.96


def limits_of_agreement(names: Sequence[str], table: Table) -> tuple[Limits, ...]:
    """Mean difference and limits of agreement of every two columns, over the sessions that both have scored.

    Source: Bland & Altman 1986, "Statistical methods for assessing agreement", Lancet i, 307-310 (1.96 for their 2).
    """
    pairs = combinations(range(len(names)), 2)
    return tuple(_limits(names[a], names[b], table[:, a] - table[:, b]) for a, b in pairs)


def _limits(first: str, second: str, differences: Array) -> Limits:
    import numpy as np

    found = differences[~np.isnan(differences)]
    if found.size == 0:
        return Limits(first=first, second=second, n=0, difference=None)
    mean = float(found.mean())
    if found.size < 2:
        return Limits(first=first, second=second, n=1, difference=mean)
    half = LIMIT * float(found.std(ddof=1))
    interval = mean_interval(found)
    return Limits(
        first=first,
        second=second,
        n=int(found.size),
        difference=mean,
        interval=interval,
        low=mean - half,
        high=mean + half,
    )


def severity_of_raters(names: Sequence[str], table: Table) -> tuple[Severity, ...]:
    """Each column's mean deviation from the other columns' mean on the same session."""
    import numpy as np

    there = ~np.isnan(table)
    filled = np.where(there, table, 0.0)
    found = []
    for at, name in enumerate(names):
        others = there.sum(axis=1) - there[:, at]
        usable = there[:, at] & (others > 0)
        of_others = (filled.sum(axis=1) - filled[:, at])[usable] / others[usable]
        deviations = table[usable, at] - of_others
        own = table[there[:, at], at]
        found.append(
            Severity(
                rater=name,
                n=int(usable.sum()),
                mean=float(own.mean()) if own.size else None,
                deviation=float(deviations.mean()) if deviations.size else None,
                interval=mean_interval(deviations),
            )
        )
    return tuple(found)


def mean_interval(values: Array) -> Interval | None:
    """Interval of a mean by t over sessions; none for fewer than two, or where all are the same."""
    from scipy.special import stdtrit

    if has_no_spread(values):
        return None
    half = float(stdtrit(values.size - 1, (1 + LEVEL) / 2)) * float(values.std(ddof=1)) / math.sqrt(values.size)
    mean = float(values.mean())
    return Interval(low=mean - half, high=mean + half, level=LEVEL, method="t over sessions")
