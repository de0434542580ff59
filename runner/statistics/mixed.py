"""Linear mixed models with crossed random intercepts, by REML, with Satterthwaite's degrees of freedom.

statsmodels' MixedLM has no degrees of freedom (it tests by z, too liberal with twenty personas) and is slow for crossed
terms, so the fit stands here. Source: Bates et al. 2015 (lme4), Kuznetsova et al. 2017 (lmerTest), Fai & Cornelius 1996.
Not here: random slopes, correlated terms, weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cbtrun.contract.records import Interval, Test
from cbtrun.errors import StatisticsError
from cbtrun.statistics import reml
from cbtrun.statistics.samples import LEVEL, as_sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbtrun.statistics.reml import Products, Term
    from cbtrun.statistics.samples import Array

    Matrix = NDArray[Any]

NOTHING_LEFT = 1e-6
"""Share of the total variance below which the residual is taken to be none: its random terms then explain every value."""


@dataclass(frozen=True)
class MixedFit:
    """A fitted model."""

    beta: Array
    covariance: Matrix
    variance: Mapping[str, float]
    """Random term -> variance, and `residual`; squared points."""
    criterion: float
    """The REML criterion at the fit, as lme4's `REMLcrit` gives it."""
    singular: tuple[str, ...]
    """Terms whose variance is estimated as 0: the fit is that of the model without them, its degrees of freedom too."""
    products: Products
    """Of the terms that have a variance."""
    free: tuple[float, ...]
    """Variance ratios of these terms, all above 0."""

    @cached_property
    def uncertainty(self) -> Matrix:
        """Asymptotic covariance of the logarithms of the variance ratios and of the residual variance."""
        import numpy as np

        def slopes(logs: Array) -> Array:
            ratios = np.exp(logs[:-1])
            by_ratio = reml.slopes(self.products, ratios, math.exp(logs[-1]))[1]
            return np.asarray(by_ratio * np.append(ratios, 1.0))

        at = np.log([*self.free, self.variance["residual"]])
        return np.asarray(2 * np.linalg.pinv(_hessian(slopes, at)))


def fit_mixed(values: Sequence[float] | Array, fixed: Matrix, random: Mapping[str, Term]) -> MixedFit:
    """Fit by REML. values (n,), fixed (n, p) of full rank, random: term -> level of each value, none where it has none.

    Raises StatisticsError when the fixed part cannot be estimated, nothing varies, or nothing is left to the residual.
    """
    import numpy as np

    y = as_sample(values)
    if y.size <= fixed.shape[1] or np.linalg.matrix_rank(fixed) < fixed.shape[1]:
        raise StatisticsError("mixed model: the levels cannot be told apart with these values")
    centre = float(y.mean())
    if reml.solve(reml.products_of(y - centre, fixed, []), []).residual <= 1e-18 * max(1.0, centre**2) * y.size:
        raise StatisticsError("mixed model: the values have no spread within the levels")
    try:
        ratios = reml.lowest(reml.products_of(y - centre, fixed, list(random.values())))
    except np.linalg.LinAlgError:  # the search ran to where the residual has no share
        raise StatisticsError(_no_residual(random)) from None
    kept = {name: float(ratio) for name, ratio in zip(random, ratios, strict=True) if ratio > 0}
    products = reml.products_of(y - centre, fixed, [random[name] for name in kept])
    free = tuple(kept.values())
    solved = reml.solve(products, free)
    sigma2 = solved.residual / products.df
    variance = {**{name: kept.get(name, 0.0) * sigma2 for name in random}, "residual": sigma2}
    if not sigma2 > NOTHING_LEFT * sum(variance.values()):
        raise StatisticsError(_no_residual(kept))
    beta = solved.beta.copy()
    beta += np.linalg.lstsq(fixed, np.full(y.size, centre), rcond=None)[0]  # a constant lies in the fixed part's span
    singular = tuple(name for name in random if name not in kept)
    at = reml.criterion(products, free)
    return MixedFit(beta, solved.unscaled * sigma2, variance, at, singular, products, free)


def departures(personas: Sequence[str | None], at: Sequence[str], levels: Sequence[str]) -> Any:
    """A random term in which each persona departs from its own mean at each level: a sparse matrix for `fit_mixed`.

    personas and at (n,): whose value it is (nobody's: no part in the term), and at which of `levels`. With it two values of one persona at different
    levels may correlate negatively, which a persona's intercept with a variance cannot do; of one value each at two levels
    it gives the paired t test. Its variance is that of `persona:level` in units of which a departure has 1 - 1/levels.
    """
    import numpy as np
    from scipy.sparse import csr_array

    has = np.flatnonzero([one is not None for one in personas])
    names, codes = np.unique(np.asarray([personas[one] for one in map(int, has)], dtype=str), return_inverse=True)
    rows = np.repeat(has, len(levels))
    columns = (codes[:, None] * len(levels) + np.arange(len(levels))).ravel()
    here = np.array([[float(level == at[one]) for level in levels] for one in map(int, has)])
    entries = (here - 1 / len(levels)).ravel()
    return csr_array((entries, (rows, columns)), shape=(len(at), names.size * len(levels)))


def _no_residual(terms: Iterable[str]) -> str:
    return f"mixed model: {' and '.join(terms)} explain every value: no residual is left to test with"


@dataclass(frozen=True)
class MixedContrast:
    """A contrast of the fixed part with its interval and test."""

    estimate: float
    interval: Interval
    test: Test


def mixed_contrast(fit: MixedFit, weights: Sequence[float]) -> MixedContrast:
    """Estimate, t interval and t test of one contrast of the fixed coefficients."""
    import numpy as np
    from scipy.stats import t

    row = np.asarray(weights, dtype=float)
    estimate, error = float(row @ fit.beta), math.sqrt(float(row @ fit.covariance @ row))
    if abs(estimate) < 1e-12 * float(abs(row) @ abs(fit.beta)):  # what rounding left of equal means
        estimate = 0.0
    df = satterthwaite_df(fit, row)
    half = float(t.ppf((1 + LEVEL) / 2, df)) * error
    interval = Interval(low=estimate - half, high=estimate + half, method="mixed model, Satterthwaite t")
    test = Test(name="satterthwaite", statistic=estimate / error, df=df, p=2 * float(t.sf(abs(estimate / error), df)))
    return MixedContrast(estimate, interval, test)


def mixed_f_test(fit: MixedFit, rows: Matrix) -> Test:
    """F test of several contrasts at once; denominator degrees of freedom as in lmerTest's contestMD (2 at the least)."""
    import numpy as np
    from scipy.stats import f

    roots, vectors = np.linalg.eigh(rows @ fit.covariance @ rows.T)
    turned = vectors.T @ rows
    squares = (turned @ fit.beta) ** 2 / roots
    q = len(roots)
    statistic = float(squares.sum()) / q
    dfs = [satterthwaite_df(fit, row) for row in turned]
    if q == 1 or max(dfs) - min(dfs) < 1e-8:
        df_error = dfs[0]
    elif min(dfs) <= 2:  # the expected F does not exist
        df_error = 2.0
    else:
        total = sum(df / (df - 2) for df in dfs)
        df_error = 2 * total / (total - q)
    return Test(
        name="satterthwaite-f",
        statistic=statistic,
        df=float(q),
        df_error=df_error,
        p=float(f.sf(statistic, q, df_error)),
    )


def satterthwaite_df(fit: MixedFit, row: Array) -> float:
    """Degrees of freedom of one contrast: twice its squared variance over the variance of that variance.

    Terms with a variance of 0 have no part in it, as in lmerTest: in relative SDs neither the contrast's variance nor the
    criterion has a slope there.
    """
    import numpy as np

    solved = reml.solve(fit.products, fit.free)
    variance = float(row @ solved.unscaled @ row)
    moved = reml.by_term(fit.products, (solved.inner[:, :-1] @ solved.unscaled @ row) ** 2)
    gradient = np.append(moved * np.array(fit.free), variance)  # by logarithms, in units of the residual variance
    spread = float(gradient @ fit.uncertainty @ gradient)
    return 2 * variance**2 / spread if spread > 0 else float(fit.products.df)


def _hessian(slopes: Callable[[Array], Array], at: Array, step: float = 1e-3) -> Matrix:
    """Central differences of fourth order of a function's slopes, made symmetric."""
    import numpy as np

    rows = []
    for index in range(at.size):
        move = np.zeros(at.size)
        move[index] = step
        near, far = slopes(at + move) - slopes(at - move), slopes(at + 2 * move) - slopes(at - 2 * move)
        rows.append((8 * near - far) / (12 * step))
    made = np.array(rows)
    return np.asarray((made + made.T) / 2)
