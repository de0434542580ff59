"""Three or more groups at once: ANOVA, Welch's ANOVA, Kruskal-Wallis; within personas: ANOVA of repeated measures, Friedman."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbtrun.contract.records import Effect, Interval, Test
from cbtrun.statistics.samples import LEVEL, Sized, Tested, as_sample, has_no_spread
from cbtrun.statistics.ties import tied, tied_groups

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cbtrun.statistics.samples import Array

    Blocks = NDArray[np.float64]
    """(personas, levels), points."""


@dataclass(frozen=True)
class Sphericity:
    """Mauchly's test, and the Greenhouse-Geisser epsilon that corrects for what it finds."""

    w: float
    p: float
    epsilon: float


def _samples(groups: Sequence[Sequence[float] | Array]) -> list[Array]:
    return [as_sample(group) for group in groups]


def _obstacle(samples: Sequence[Array], least: int = 2) -> str | None:
    if len(samples) < 2 or min(sample.size for sample in samples) < least:
        return f"needs at least two groups with {least} values each"
    return "no spread within any group" if all(has_no_spread(sample) for sample in samples) else None


def anova(groups: Sequence[Sequence[float] | Array]) -> Tested:
    """One-way analysis of variance, equal variances assumed."""
    from scipy.stats import f_oneway

    samples = _samples(groups)
    if why := _obstacle(samples):
        return Tested(None, f"ANOVA: {why}")
    found = f_oneway(*samples)
    df_error = float(sum(sample.size for sample in samples) - len(samples))
    df = float(len(samples) - 1)
    return Tested(Test(name="anova", statistic=float(found.statistic), df=df, df_error=df_error, p=float(found.pvalue)))


def welch_anova(groups: Sequence[Sequence[float] | Array]) -> Tested:
    """One-way analysis of variance for unequal variances. Source: Welch 1951, as statsmodels has it."""
    from statsmodels.stats.oneway import anova_oneway

    samples = _samples(groups)
    why = _obstacle(samples)
    if why or any(has_no_spread(sample) for sample in samples):
        return Tested(None, f"Welch's ANOVA: {why or 'a group has no spread'}")
    found = anova_oneway(samples, use_var="unequal", welch_correction=True)
    statistic, df, df_error = float(found.statistic), float(found.df_num), float(found.df_denom)
    return Tested(Test(name="welch-anova", statistic=statistic, df=df, df_error=df_error, p=float(found.pvalue)))


def kruskal_wallis(groups: Sequence[Sequence[float] | Array]) -> Tested:
    """Kruskal-Wallis H, corrected for ties; p by chi-squared."""
    import numpy as np
    from scipy.stats import kruskal

    samples = _samples(groups)
    if len(samples) < 2 or min(sample.size for sample in samples) < 1:
        return Tested(None, "Kruskal-Wallis test: a group has no value")
    df = float(len(samples) - 1)
    if has_no_spread(np.concatenate(samples)):
        return Tested(Test(name="kruskal-wallis", statistic=0.0, df=df, p=1.0, method="all values are equal"))
    found = kruskal(*tied_groups(samples))
    return Tested(Test(name="kruskal-wallis", statistic=float(found.statistic), df=df, p=float(found.pvalue)))


def eta_squared(test: Test | None) -> Sized:
    """Share of variance that an F test's effect explains (partial), with its interval by noncentral F."""
    if test is None or test.df is None or test.df_error is None:
        return Sized(None, "eta squared: there is no F")
    value = test.statistic * test.df / (test.statistic * test.df + test.df_error)
    low, high = (ncp / (ncp + test.df_error) for ncp in _f_noncentralities(test.statistic, test.df, test.df_error))
    return Sized(Effect(name="eta_squared", value=value, interval=Interval(low=low, high=high, method="noncentral F")))


def _f_noncentralities(f: float, df: float, df_error: float) -> tuple[float, float]:
    """Noncentralities at which the observed F sits at the two tails; 0 where none does. Source: Steiger 2004."""
    from scipy.optimize import brentq
    from scipy.special import ncfdtr
    from scipy.stats import f as f_distribution

    limits = []
    for probability in ((1 + LEVEL) / 2, (1 - LEVEL) / 2):
        if float(f_distribution.cdf(f, df, df_error)) <= probability:
            limits.append(0.0)
            continue
        top = 10.0 + 4 * f * df
        while float(ncfdtr(df, df_error, top, f)) > probability:
            top *= 2

        def excess(ncp: float, probability: float = probability) -> float:
            return float(ncfdtr(df, df_error, ncp, f)) - probability

        limits.append(float(brentq(excess, 0.0, top, xtol=1e-10)))
    return limits[0], limits[1]


def epsilon_squared(test: Test | None, n: int) -> Sized:
    """Kruskal-Wallis H over its largest value, 0 to 1; no interval. Source: Tomczak & Tomczak 2014."""
    if test is None or n < 2:
        return Sized(None, "epsilon squared: there is no H")
    return Sized(Effect(name="epsilon_squared", value=test.statistic / (n - 1)))


def repeated_measures_anova(blocks: Blocks) -> Tested:
    """One factor within personas; degrees of freedom and p always corrected for sphericity (Greenhouse & Geisser 1959).

    blocks (n personas, k levels), complete. Statistic and formulas as in R's ez and afex packages.
    """
    from scipy.stats import f as f_distribution

    n, k = blocks.shape
    if n < 2 or k < 2:
        return Tested(None, "repeated-measures ANOVA: needs at least two personas and two levels")
    effect = n * float(((blocks.mean(axis=0) - blocks.mean()) ** 2).sum())
    residual = blocks - blocks.mean(axis=0) - blocks.mean(axis=1, keepdims=True) + blocks.mean()
    error = float((residual**2).sum())
    if error <= 1e-20 * max(1.0, float((blocks**2).sum())):
        return Tested(None, "repeated-measures ANOVA: the differences have no spread")
    epsilon = greenhouse_geisser(blocks)
    statistic = effect / (k - 1) / (error / ((k - 1) * (n - 1)))
    df, df_error = epsilon * (k - 1), epsilon * (k - 1) * (n - 1)
    p = float(f_distribution.sf(statistic, df, df_error))
    method = f"Greenhouse-Geisser epsilon {epsilon:.3f}"
    return Tested(Test(name="rm-anova", statistic=statistic, df=df, df_error=df_error, p=p, method=method))


def greenhouse_geisser(blocks: Blocks) -> float:
    """Epsilon, from 1/(k - 1) to 1: how far the covariances are from sphericity."""
    covariance = _contrast_covariance(blocks)
    squares = float((covariance**2).sum())
    return float(covariance.trace()) ** 2 / (covariance.shape[0] * squares) if squares > 0 else 1.0


def mauchly(blocks: Blocks) -> Sphericity | None:
    """Sphericity; none with two levels, fewer personas than levels, or no spread.

    p by Anderson 2003, section 10.7.4. (R's mauchly.test puts the number of levels for one p of its second term.)
    Source: Mauchly 1940.
    """
    import numpy as np
    from scipy.stats import chi2

    n, k = blocks.shape
    if k < 3 or n - 1 < k - 1:
        return None
    covariance, p = _contrast_covariance(blocks), k - 1
    determinant = float(np.linalg.det(covariance))
    mean_root = float(covariance.trace()) / p
    if determinant <= 0 or mean_root <= 0:
        return None
    w, df = determinant / mean_root**p, n - 1
    rho = 1 - (2 * p**2 + p + 2) / (6 * p * df)
    w2 = (p + 2) * (p - 1) * (p - 2) * (2 * p**3 + 6 * p**2 + 3 * p + 2) / (288 * (df * p * rho) ** 2)
    z, f = -df * rho * math.log(w), p * (p + 1) / 2 - 1
    first, second = float(chi2.sf(z, f)), float(chi2.sf(z, f + 4))
    return Sphericity(w, min(1.0, first + w2 * (second - first)), greenhouse_geisser(blocks))


def _contrast_covariance(blocks: Blocks) -> Blocks:
    """Covariance of k - 1 orthonormal contrasts of the levels."""
    import numpy as np
    from scipy.linalg import helmert

    return np.atleast_2d(np.cov(blocks @ helmert(blocks.shape[1]).T, rowvar=False))


def friedman(blocks: Blocks) -> Tested:
    """Friedman's test of levels within personas, corrected for ties; p by chi-squared. blocks (n personas, k levels)."""
    from scipy.stats import friedmanchisquare

    n, k = blocks.shape
    if n < 2 or k < 3:
        return Tested(None, "Friedman's test: needs at least two personas and three levels")
    if all(has_no_spread(row) for row in blocks):
        return Tested(Test(name="friedman", statistic=0.0, df=k - 1.0, p=1.0, method="all values are equal"))
    found = friedmanchisquare(*tied(blocks).T)
    return Tested(Test(name="friedman", statistic=float(found.statistic), df=k - 1.0, p=float(found.pvalue)))


def kendalls_w(test: Test | None, n: int) -> Sized:
    """Agreement of the personas on the order of the levels, 0 to 1; no interval. Friedman's statistic / (n (k - 1))."""
    if test is None or test.df is None or n == 0:
        return Sized(None, "Kendall's W: there is no Friedman statistic")
    return Sized(Effect(name="kendalls_w", value=test.statistic / (n * test.df)))
