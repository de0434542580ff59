"""Power of rank tests by simulation: the same draws at every effect, so that a curve is smooth and a root can be found."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from cbtrun.statistics.two_groups import EXACT_UP_TO

if TYPE_CHECKING:
    from cbtrun.statistics.samples import Array

STUDIES = 2000
"""Simulated studies a point: a Monte-Carlo standard error of at most 0.011."""
LARGEST_SIMULATED = 2_000
"""Units beyond which nothing is simulated."""

PowerAt = Callable[[int, float], float]
"""Units (pairs, or of each group) and effect -> power."""


def wilcoxon_power(alpha: float, seed: int) -> PowerAt:
    """Wilcoxon's signed-rank test of normal differences with mean dz and SD 1."""

    @cache
    def draws(n: int) -> Array:
        import numpy as np

        return np.random.default_rng([seed, n]).normal(size=(STUDIES, n))

    def power_at(n: int, dz: float) -> float:
        from scipy.stats import wilcoxon

        if n < 2:
            return 0.0
        method = "exact" if n < EXACT_UP_TO else "asymptotic"
        p = wilcoxon(draws(n) + dz, axis=1, method=method, correction=method == "asymptotic").pvalue
        return float((p < alpha).mean())

    return power_at


def mann_whitney_power(alpha: float, seed: int) -> PowerAt:
    """The Mann-Whitney test of two normal groups of n, d apart, SD 1."""

    @cache
    def draws(n: int) -> tuple[Array, Array]:
        import numpy as np

        rng = np.random.default_rng([seed, n])
        return rng.normal(size=(STUDIES, n)), rng.normal(size=(STUDIES, n))

    def power_at(n: int, d: float) -> float:
        if n < 2:
            return 0.0
        first, second = draws(n)
        return _share_found(first + d, second, alpha, "exact" if n < EXACT_UP_TO else "asymptotic")

    return power_at


def odds_power(alpha: float, seed: int, categories: int) -> PowerAt:
    """The proportional-odds model's score test, which is Mann-Whitney with ties; the effect is a log odds ratio.

    The second group's categories fall as a logistic variable cut at even steps from its 5th to its 95th percentile.
    """

    @cache
    def draws(n: int) -> tuple[Array, Array]:
        import numpy as np

        rng = np.random.default_rng([seed, n])
        return rng.logistic(size=(STUDIES, n)), rng.logistic(size=(STUDIES, n))

    def power_at(n: int, log_odds: float) -> float:
        import numpy as np

        if n < 2:
            return 0.0
        edges = np.linspace(-2.944, 2.944, categories - 1)  # logit of 0.05 and of 0.95
        first, second = draws(n)
        return _share_found(
            np.searchsorted(edges, first + log_odds).astype(float),
            np.searchsorted(edges, second).astype(float),
            alpha,
            "asymptotic",
        )

    return power_at


def _share_found(first: Array, second: Array, alpha: float, method: str) -> float:
    """Share of studies (rows) in which the test finds a difference."""
    import warnings

    from scipy.stats import mannwhitneyu

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a study in which all are tied finds nothing: p is NaN
        p = mannwhitneyu(first, second, axis=1, method=method).pvalue
    return float((p < alpha).mean())
