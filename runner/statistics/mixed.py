"""Linear mixed models with crossed random intercepts, by REML, with Satterthwaite's degrees of freedom.

statsmodels' MixedLM has no degrees of freedom (it tests by z, too liberal with twenty personas) and is slow for crossed
terms, so the fit stands here. Source: Bates et al. 2015 (lme4), Kuznetsova et al. 2017 (lmerTest), Fai & Cornelius 1996.
Not here: random slopes, correlated terms, weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cbtrun.contract.records import Interval, Test
from cbtrun.errors import StatisticsError
from cbtrun.statistics.samples import LEVEL, as_sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbtrun.statistics.samples import Array

    Matrix = NDArray[Any]

DENSE_UP_TO = 150
"""Levels of all random terms together up to which the system is solved densely, which is faster there."""

AT_ZERO = 1e-4
"""Relative SD below which a random term is taken to have no variance."""

NOTHING_LEFT = 1e-6
"""Share of the total variance below which the residual is taken to be none: its random terms then explain every value."""


@dataclass(frozen=True)
class _Products:
    """All that the criterion needs of the values: cross products, so that an evaluation costs q^3 and not n."""

    n: int
    sizes: tuple[int, ...]
    """Levels of each random term; their sum is q."""
    zz: Any
    """Sparse (q, q): terms that nest in each other hardly fill it."""
    zx: Matrix
    zy: Array
    xx: Matrix
    xy: Array
    yy: float


@dataclass(frozen=True)
class _Solved:
    log_determinants: float
    residual: float
    """Generalised sum of squared residuals."""
    beta: Array
    unscaled: Matrix
    """Covariance of beta over the residual variance."""


@dataclass(frozen=True)
class MixedFit:
    """A fitted model."""

    beta: Array
    covariance: Matrix
    variance: Mapping[str, float]
    """Random term -> variance, and `residual`; squared points."""
    products: _Products
    free: tuple[float, ...]
    """Logarithms of the relative SDs of the terms with variance."""
    log_sigma: float


def fit_mixed(values: Sequence[float] | Array, fixed: Matrix, random: Mapping[str, Sequence[str]]) -> MixedFit:
    """Fit by REML. values (n,), fixed (n, p) of full rank, random: term -> level of each value.

    Raises StatisticsError when the fixed part cannot be estimated, nothing varies, or nothing is left to the residual.
    """
    import numpy as np

    y = as_sample(values)
    if y.size <= fixed.shape[1] or np.linalg.matrix_rank(fixed) < fixed.shape[1]:
        raise StatisticsError("mixed model: the levels cannot be told apart with these values")
    centre = float(y.mean())
    terms = dict(random)
    while True:
        products = _products(y - centre, fixed, list(terms.values()))
        if _solve(products, [0.0] * len(terms)).residual <= 1e-18 * max(1.0, centre**2) * y.size:
            raise StatisticsError("mixed model: the values have no spread within the levels")
        if not terms:
            best: Array = np.empty(0)
            break
        try:
            best = _minimum(partial(_criterion, products), len(terms))
        except np.linalg.LinAlgError:  # the search ran to where the residual has no share
            raise StatisticsError(_no_residual(terms)) from None
        gone = [name for name, relative in zip(terms, best, strict=True) if relative < AT_ZERO]
        if not gone:
            break
        terms = {name: levels for name, levels in terms.items() if name not in gone}
    solved = _solve(products, best)
    sigma2 = solved.residual / (products.n - fixed.shape[1])
    variance: dict[str, float] = dict.fromkeys(random, 0.0)
    variance.update({name: float(s) ** 2 * sigma2 for name, s in zip(terms, best, strict=True)})
    variance["residual"] = sigma2
    if not sigma2 > NOTHING_LEFT * sum(variance.values()):
        raise StatisticsError(_no_residual(terms))
    beta = solved.beta.copy()
    beta += np.linalg.lstsq(fixed, np.full(y.size, centre), rcond=None)[0]  # a constant lies in the fixed part's span
    free = tuple(math.log(s) for s in best)
    return MixedFit(beta, solved.unscaled * sigma2, variance, products, free, 0.5 * math.log(sigma2))


def _no_residual(terms: Mapping[str, Sequence[str]]) -> str:
    return f"mixed model: {' and '.join(terms)} explain every value: no residual is left to test with"


def _minimum(criterion: Callable[[Array], float], terms: int) -> Array:
    """Relative SDs at the smallest criterion: from two starts, then polished."""
    import numpy as np
    from scipy.optimize import minimize

    found = [
        minimize(criterion, np.full(terms, start), method="L-BFGS-B", bounds=[(0.0, 1e4)] * terms)
        for start in (1.0, 0.2)
    ]
    best = min(found, key=lambda one: float(one.fun)).x
    inside = best > AT_ZERO
    if not inside.any():
        return np.zeros(terms)

    def polished(logs: Array) -> float:
        at = np.zeros(terms)
        at[inside] = np.exp(logs)
        return float(criterion(at))

    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000, "maxfev": 4000}
    final = minimize(polished, np.log(best[inside]), method="Nelder-Mead", options=options).x
    result = np.zeros(terms)
    result[inside] = np.exp(final)
    return result


def _products(y: Array, x: Matrix, terms: Sequence[Sequence[str]]) -> _Products:
    import numpy as np
    from scipy.sparse import csr_array, hstack

    blocks, sizes, each = [], [], np.arange(y.size)
    for levels in terms:
        codes = np.unique(np.asarray(levels, dtype=str), return_inverse=True)[1]
        blocks.append(csr_array((np.ones(y.size), (each, codes)), shape=(y.size, int(codes.max()) + 1)))
        sizes.append(blocks[-1].shape[1])
    z = hstack(blocks).tocsr() if blocks else csr_array((y.size, 0))
    return _Products(y.size, tuple(sizes), (z.T @ z).tocsc(), z.T @ x, z.T @ y, x.T @ x, x.T @ y, float(y @ y))


def _solve(products: _Products, relative: Sequence[float] | Array) -> _Solved:
    """Everything at given relative SDs, through the q x q system (Woodbury)."""
    import numpy as np

    scale = np.repeat(np.asarray(relative, dtype=float), products.sizes)
    zx, zy = scale[:, None] * products.zx, scale * products.zy
    xvx, xvy, yvy, log_determinant = products.xx, products.xy, products.yy, 0.0
    if scale.size:
        log_determinant, solved = _inner_solution(products.zz, scale, np.column_stack([zx, zy]))
        xvx = xvx - zx.T @ solved[:, :-1]
        xvy = xvy - zx.T @ solved[:, -1]
        yvy = yvy - float(zy @ solved[:, -1])
    unscaled: Matrix = np.linalg.inv(xvx)
    beta = unscaled @ xvy
    residual = max(float(yvy - beta @ xvy), 1e-300)
    return _Solved(log_determinant + float(np.linalg.slogdet(xvx)[1]), residual, beta, unscaled)


def _inner_solution(zz: Any, scale: Array, right: Matrix) -> tuple[float, Matrix]:
    """Log determinant of I + S Z'Z S, and its solution for the columns of `right`."""
    import numpy as np
    from scipy.linalg import cho_factor, cho_solve
    from scipy.sparse import diags_array, eye_array
    from scipy.sparse.linalg import splu

    if scale.size <= DENSE_UP_TO:
        factor = cho_factor(np.eye(scale.size) + scale[:, None] * zz.toarray() * scale, lower=True)
        return 2 * float(np.log(np.diag(factor[0])).sum()), cho_solve(factor, right)
    by = diags_array(scale)
    inner = (eye_array(scale.size) + by @ zz @ by).tocsc()
    lu = splu(inner, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return float(np.log(np.abs(lu.U.diagonal())).sum()), lu.solve(right)


def _criterion(products: _Products, relative: Sequence[float] | Array) -> float:
    """REML criterion with the residual variance profiled out, without constants."""
    solved = _solve(products, relative)
    df = products.n - int(products.xx.shape[0])
    return solved.log_determinants + df * math.log(solved.residual)


def _deviance(products: _Products, parameters: Array) -> float:
    """REML criterion in (log relative SDs, log residual SD), without constants."""
    import numpy as np

    solved = _solve(products, np.exp(parameters[:-1]))
    df = products.n - int(products.xx.shape[0])
    log_sigma = float(parameters[-1])
    return solved.log_determinants + 2 * df * log_sigma + solved.residual * math.exp(-2 * log_sigma)


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
    df = satterthwaite_df(fit, row)
    half = float(t.ppf((1 + LEVEL) / 2, df)) * error
    interval = Interval(low=estimate - half, high=estimate + half, method="mixed model, Satterthwaite t")
    test = Test(name="satterthwaite", statistic=estimate / error, df=df, p=2 * float(t.sf(abs(estimate / error), df)))
    return MixedContrast(estimate, interval, test)


def mixed_f_test(fit: MixedFit, rows: Matrix) -> Test:
    """F test of several contrasts at once; denominator degrees of freedom as in lmerTest's contestMD."""
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
    else:
        total = sum(df / (df - 2) for df in dfs if df > 2)
        df_error = 2 * total / (total - q) if total > q else 2.0
    return Test(
        name="satterthwaite-f",
        statistic=statistic,
        df=float(q),
        df_error=df_error,
        p=float(f.sf(statistic, q, df_error)),
    )


def satterthwaite_df(fit: MixedFit, row: Array) -> float:
    """Degrees of freedom of one contrast: twice its squared variance over the variance of that variance."""
    import numpy as np

    at = np.array([*fit.free, fit.log_sigma])

    def variance(parameters: Array) -> float:
        unscaled = _solve(fit.products, np.exp(parameters[:-1])).unscaled
        return float(row @ unscaled @ row) * math.exp(2 * float(parameters[-1]))

    gradient = _gradient(variance, at)
    hessian = _hessian(lambda parameters: _deviance(fit.products, parameters), at)
    spread = float(gradient @ (2 * np.linalg.pinv(hessian)) @ gradient)
    return max(1.0, 2 * variance(at) ** 2 / spread) if spread > 0 else float(fit.products.n - fit.beta.size)


def _gradient(function: Callable[[Array], Any], at: Array, step: float = 1e-4) -> Matrix:
    """Central differences of fourth order."""
    import numpy as np

    made = []
    for index in range(at.size):
        move = np.zeros(at.size)
        move[index] = step
        near, far = function(at + move) - function(at - move), function(at + 2 * move) - function(at - 2 * move)
        made.append((8 * near - far) / (12 * step))
    return np.array(made)


def _hessian(function: Callable[[Array], float], at: Array, step: float = 2e-3) -> Matrix:
    """Gradient of the gradient, made symmetric."""
    import numpy as np

    rows = _gradient(lambda where: _gradient(function, where, step), at, step)
    return np.asarray((rows + rows.T) / 2)
