"""The REML criterion of a linear mixed model with independent random terms, its slopes, and the search for its minimum.

Everything is a function of the terms' variance ratios (variance over the residual's). Source: Bates et al. 2015 (lme4)
for the profiled criterion; Searle, Casella & McCulloch 1992, chapter 6, for its derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbtrun.statistics.samples import Array

    Matrix = NDArray[Any]

Term = Sequence[str | None] | Any
"""A random term: the level of each value, none where it has no part in the term; or a sparse matrix of its columns."""

DENSE_UP_TO = 200
"""Levels of all random terms together up to which the system is solved densely, which is faster there."""

AT_ZERO = 1e-8
"""Variance ratio below which a random term is taken to have no variance (lme4's `isSingular`: relative SD 1e-4)."""

LARGEST = 1e8
"""Largest variance ratio that is tried."""

TRIED = (0.1, 10.0)
"""Variance ratios that all terms are started at; in 900 simulated studies each found the lowest of twelve starts."""


@dataclass(frozen=True)
class Products:
    """All that the criterion needs of the values: cross products, so that an evaluation costs q^3 and not n."""

    n: int
    sizes: tuple[int, ...]
    """Levels of each random term; their sum is q."""
    zz: Any
    """(q, q): dense up to `DENSE_UP_TO`, else sparse: terms that nest in each other hardly fill it."""
    zx: Matrix
    zy: Array
    xx: Matrix
    xy: Array
    yy: float

    @property
    def df(self) -> int:
        """Values beyond the fixed coefficients."""
        return self.n - int(self.xx.shape[0])


@dataclass(frozen=True)
class Solved:
    """The model at given variance ratios."""

    log_determinants: float
    """Of V and of X'V^-1 X, V in units of the residual variance."""
    residual: float
    """Generalised sum of squared residuals, y'Py."""
    beta: Array
    unscaled: Matrix
    """Covariance of beta over the residual variance."""
    inner: Matrix
    """(q, p + 1): Z'V^-1 X beside Z'V^-1 y."""
    spread: Array
    """(q,): diagonal of Z'V^-1 Z; empty where it was not asked for."""


def products_of(y: Array, x: Matrix, terms: Sequence[Term]) -> Products:
    """Cross products of values (n,), fixed part (n, p) and random terms."""
    from scipy.sparse import csr_array, hstack

    blocks = [_columns(term) for term in terms]
    z = hstack(blocks).tocsr() if blocks else csr_array((y.size, 0))
    zz = (z.T @ z).tocsc()
    if zz.shape[0] <= DENSE_UP_TO:
        zz = zz.toarray()
    sizes = tuple(int(block.shape[1]) for block in blocks)
    return Products(y.size, sizes, zz, z.T @ x, z.T @ y, x.T @ x, x.T @ y, float(y @ y))


def _columns(term: Term) -> Any:
    """A term's indicator columns, one a level; a matrix as it is."""
    import numpy as np
    from scipy.sparse import csr_array, issparse

    if issparse(term):
        return csr_array(term)
    has = np.array([level is not None for level in term])
    codes = np.unique(np.asarray([level for level in term if level is not None], dtype=str), return_inverse=True)[1]
    width = int(codes.max()) + 1 if codes.size else 0
    return csr_array((np.ones(codes.size), (np.flatnonzero(has), codes)), shape=(len(term), width))


def solve(products: Products, ratios: Sequence[float] | Array, spread: bool = False) -> Solved:
    """Everything at given variance ratios, through the q x q system (Woodbury); `spread` at several times the cost.

    Raises numpy's LinAlgError where the system cannot be solved.
    """
    import numpy as np

    root = np.sqrt(np.repeat(np.asarray(ratios, dtype=float), products.sizes))
    right = np.column_stack([products.zx, products.zy])
    inside, log_determinant, diagonal = np.zeros(right.shape), 0.0, np.zeros(0)
    if root.size:
        log_determinant, answer = _factor(products.zz, root)
        width = right.shape[1]
        if spread:
            scaled = products.zz * root[:, None]
            answered = answer(np.hstack([root[:, None] * right, scaled]))
            diagonal = np.diag(products.zz) - np.einsum("ij,ij->j", scaled, answered[:, width:])
        else:
            answered = answer(root[:, None] * right)
        inside = root[:, None] * answered[:, :width]
    xvx = products.xx - products.zx.T @ inside[:, :-1]
    xvy = products.xy - products.zx.T @ inside[:, -1]
    yvy = products.yy - float(products.zy @ inside[:, -1])
    unscaled: Matrix = np.linalg.inv(xvx)
    beta = unscaled @ xvy
    residual = max(float(yvy - beta @ xvy), 1e-300)
    log_determinant += float(np.linalg.slogdet(xvx)[1])
    inner: Matrix = right - products.zz @ inside
    return Solved(log_determinant, residual, beta, unscaled, inner, diagonal)


def _factor(zz: Any, root: Array) -> tuple[float, Callable[[Matrix], Matrix]]:
    """Log determinant of I + S Z'Z S, S = diag(root), and what solves it."""
    import numpy as np
    from scipy.linalg.lapack import dpotrf, dpotrs
    from scipy.sparse import diags_array, eye_array, issparse
    from scipy.sparse.linalg import splu

    if not issparse(zz):
        system = root[:, None] * zz * root
        system[np.diag_indices_from(system)] += 1.0
        factor, failed = dpotrf(system, lower=1)
        if failed:
            raise np.linalg.LinAlgError("the random terms leave nothing to the residual")
        return 2 * float(np.log(np.diag(factor)).sum()), lambda right: dpotrs(factor, right, lower=1)[0]
    by = diags_array(root)
    inner = (eye_array(root.size) + by @ zz @ by).tocsc()
    lu = splu(inner, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return float(np.log(np.abs(lu.U.diagonal())).sum()), lu.solve


def criterion(products: Products, ratios: Sequence[float] | Array) -> float:
    """The REML criterion with the residual variance profiled out, with its constants: what lme4's `REMLcrit` gives."""
    solved = solve(products, ratios)
    df = products.df
    return solved.log_determinants + df * (1 + math.log(2 * math.pi * solved.residual / df))


def slopes(products: Products, ratios: Array, sigma2: float | None = None) -> tuple[float, Array]:
    """The criterion, and its derivative by each variance ratio.

    sigma2: the residual variance, where it is not profiled out; the derivative by its logarithm then comes last.
    """
    import numpy as np
    from scipy.sparse import issparse

    df = products.df
    if issparse(products.zz):
        solved = solve(products, ratios)
        logs = _numeric(lambda at: solve(products, at).log_determinants, ratios)
    else:
        solved = solve(products, ratios, spread=True)
        inner = solved.inner[:, :-1]
        each = solved.spread - np.einsum("ij,jk,ik->i", inner, solved.unscaled, inner)
        logs = by_term(products, each)
    squares = by_term(products, (solved.inner[:, -1] - solved.inner[:, :-1] @ solved.beta) ** 2)
    variance = solved.residual / df if sigma2 is None else sigma2
    value = solved.log_determinants + df * math.log(2 * math.pi * variance) + solved.residual / variance
    found = logs - squares / variance
    return value, found if sigma2 is None else np.append(found, df - solved.residual / variance)


def by_term(products: Products, each: Array) -> Array:
    """Sums over the levels of each term."""
    import numpy as np

    if not products.sizes:
        return np.empty(0)
    return np.asarray(np.add.reduceat(each, [0, *np.cumsum(products.sizes[:-1])]))


def _numeric(function: Callable[[Array], float], at: Array) -> Array:
    """Differences of second order; forward where a ratio is too near to 0 to be made smaller."""
    import numpy as np

    made, here = [], function(at)
    for index, value in enumerate(at):
        step = 1e-5 * (1 + value)
        move = np.zeros(at.size)
        move[index] = step
        if value > step:
            made.append((function(at + move) - function(at - move)) / (2 * step))
        else:
            made.append((4 * function(at + move) - 3 * here - function(at + 2 * move)) / (2 * step))
    return np.array(made)


def lowest(products: Products) -> Array:
    """Variance ratios at the smallest criterion, exactly 0 for terms without variance.

    Searched in the ratios, not in relative SDs: by those the slope at 0 is always 0, and a search that comes there stays.
    """
    import numpy as np
    from scipy.sparse import issparse

    terms = len(products.sizes)
    if not terms:
        return np.empty(0)
    tried = TRIED[:1] if issparse(products.zz) else TRIED  # a second look is dear there
    _, start = min((_descended(products, np.full(terms, ratio)) for ratio in tried), key=lambda one: one[0])
    ratios = _descended(products, start, exact=True)[1]
    return np.where(ratios < AT_ZERO, 0.0, ratios)


def _descended(products: Products, start: Array, exact: bool = False) -> tuple[float, Array]:
    """Criterion and ratios where the search from `start` ends: linear near 0, in logarithms where ratios are large.

    exact: to the last digits that count, and not just to tell one minimum from another.
    """
    import numpy as np
    from scipy.optimize import minimize

    def objective(logs: Array) -> tuple[float, Array]:
        ratios = np.expm1(logs)
        value, slope = slopes(products, ratios)
        return value, slope * (1 + ratios)

    bounds = [(0.0, math.log1p(LARGEST))] * start.size
    options = {"ftol": 1e-15, "gtol": 1e-8} if exact else {"ftol": 1e-9, "gtol": 1e-3}
    found = minimize(objective, np.log1p(start), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return float(found.fun), np.expm1(found.x)
