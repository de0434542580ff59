"""Two factors: main effects and interaction as contrasts of cell means, within personas or between sessions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cbtrun.contract.records import Interval, Test
from cbtrun.statistics.samples import LEVEL, as_sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbtrun.statistics.omnibus import Blocks
    from cbtrun.statistics.samples import Array

Part = Literal["first", "second", "interaction"]


@dataclass(frozen=True)
class Contrast:
    """A tested contrast; estimate and interval only where it has one degree of freedom."""

    estimate: float | None
    interval: Interval | None
    test: Test | None
    note: str | None = None


def contrast_rows(part: Part, first: int, second: int) -> NDArray[Any]:
    """Contrasts of the cells (first factor slowest), (degrees of freedom, first * second), weighting cells equally.

    With two levels a row is `first level minus second`; an interaction row the difference of two such differences.
    """
    import numpy as np

    def differences(levels: int) -> NDArray[Any]:
        return np.hstack([np.ones((levels - 1, 1)), -np.eye(levels - 1)])

    if part == "first":
        return np.kron(differences(first), np.full((1, second), 1 / second))
    if part == "second":
        return np.kron(np.full((1, first), 1 / first), differences(second))
    return np.kron(differences(first), differences(second))


def within_contrast(cells: Blocks, rows: NDArray[Any]) -> Contrast:
    """Contrast within personas: Hotelling's T-squared, which needs no sphericity; with one row it is the paired t.

    cells (n personas, cells). F has (q, n - q) degrees of freedom. Source: Hotelling 1931; Maxwell & Delaney 2004, ch. 13.
    """
    import numpy as np
    from scipy.stats import f, t

    scores = cells @ rows.T  # (personas, q)
    n, q = scores.shape
    mean = scores.mean(axis=0) if n else np.zeros(q)
    estimate = float(mean[0]) if q == 1 and n else None
    if n <= q:
        return Contrast(estimate, None, None, f"needs more than {q} complete personas")
    covariance = np.atleast_2d(np.cov(scores, rowvar=False))
    if np.linalg.matrix_rank(covariance) < q:
        return Contrast(estimate, None, None, "the differences have no spread")
    squared = n * float(mean @ np.linalg.solve(covariance, mean))
    statistic = squared * (n - q) / (q * (n - 1))
    test = Test(
        name="hotelling", statistic=statistic, df=float(q), df_error=float(n - q), p=float(f.sf(statistic, q, n - q))
    )
    if q > 1:
        return Contrast(None, None, test)
    half = float(t.ppf((1 + LEVEL) / 2, n - 1)) * math.sqrt(float(covariance[0, 0]) / n)
    return Contrast(
        estimate, Interval(low=mean[0] - half, high=mean[0] + half, method="paired t of the contrast"), test
    )


def between_contrast(cells: Sequence[Sequence[float] | Array], rows: NDArray[Any]) -> Contrast:
    """Contrast between independent cells, pooled variance: the type III F test of the cell-means model.

    Source: Maxwell & Delaney 2004, ch. 7; the same as car::Anova(type = 3) with sum contrasts.
    """
    import numpy as np
    from scipy.stats import f, t

    samples = [as_sample(cell) for cell in cells]
    if min(sample.size for sample in samples) == 0:
        return Contrast(None, None, None, "a cell of the two factors has no value")
    means = np.array([sample.mean() for sample in samples])
    df_error = float(sum(sample.size for sample in samples) - len(samples))
    squares = sum(float(((sample - sample.mean()) ** 2).sum()) for sample in samples)
    q = rows.shape[0]
    values = rows @ means
    estimate = float(values[0]) if q == 1 else None
    if df_error < 1 or squares <= 1e-20 * max(1.0, float((means**2).sum())):
        return Contrast(estimate, None, None, "no spread within any cell")
    spread = rows @ np.diag([1 / sample.size for sample in samples]) @ rows.T
    mean_square = squares / df_error
    statistic = float(values @ np.linalg.solve(spread, values)) / q / mean_square
    p = float(f.sf(statistic, q, df_error))
    test = Test(name="type-3", statistic=statistic, df=float(q), df_error=df_error, p=p)
    if q > 1:
        return Contrast(None, None, test)
    half = float(t.ppf((1 + LEVEL) / 2, df_error)) * math.sqrt(mean_square * float(spread[0, 0]))
    interval = Interval(low=values[0] - half, high=values[0] + half, method="t, variance pooled over the cells")
    return Contrast(estimate, interval, test)
