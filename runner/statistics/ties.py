"""Values that differ by rounding alone made equal: whatever ranks values, or counts how many are tied, starts here.

A persona's value is a mean of ratings, and the same mean reached in two ways differs in its last bits: 10 1/3 - 10 is not
20 1/3 - 20. Ranks would take such ties for an order. (R's rank tests have `digits.rank` for this.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

SAME = 1e-10
"""Of the largest size among the values: what lies closer than this is one value. Sums of thousands of points err by less."""
NOTHING = 1e-12
"""Points below which a value is 0, whatever the others are: all differences may be rounding."""


def tied(values: Values) -> Values:
    """The values, of any shape, with those that differ by rounding alone replaced by the lowest of them.

    Neighbours are joined, not digits cut: no value lies on the edge of a digit. O(n log n).
    """
    import numpy as np

    if values.size == 0:
        return values
    flat = values.ravel()
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    starts = np.diff(ordered, prepend=-np.inf) > max(NOTHING, SAME * float(np.abs(flat).max()))
    joined = np.empty_like(flat)
    joined[order] = ordered[np.flatnonzero(starts)[np.cumsum(starts) - 1]]
    return joined.reshape(values.shape)


def tied_groups(groups: Sequence[Values]) -> list[Values]:
    """Each group's values, tied with those of the others too."""
    import numpy as np

    cuts = np.cumsum([group.size for group in groups])[:-1]
    return list(np.split(tied(np.concatenate(list(groups))), cuts))


def tied_differences(differences: Values) -> Values:
    """Differences whose sizes are tied where they are the same on either side of 0; a size of nothing is 0."""
    import numpy as np

    sizes = tied(np.concatenate([[0.0], np.abs(differences)]))[1:]
    signed: Values = np.sign(differences) * sizes
    return signed


def count_distinct(values: Sequence[float]) -> int:
    """How many different values there are, those that differ by rounding alone being one."""
    import numpy as np

    return int(np.unique(tied(np.asarray(values, dtype=np.float64))).size)
