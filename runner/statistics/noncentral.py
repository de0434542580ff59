"""Exact intervals of standardised mean differences, by inverting the noncentral t distribution."""

from __future__ import annotations

import math

from cbtrun.statistics.samples import LEVEL


def noncentrality_limits(t: float, df: float, level: float = LEVEL) -> tuple[float, float] | None:
    """Noncentralities at which the observed t sits at the upper and the lower tail.

    None where the distribution function leaves double precision (|t| beyond about 35).
    Source: Steiger & Fouladi 1997, "Noncentrality interval estimation"; Cumming & Finch 2001.
    """
    from scipy.optimize import brentq
    from scipy.special import nctdtr

    if abs(t) > 35:
        return None
    tail = (1 - level) / 2
    reach = 10 + abs(t)

    def below(nc: float) -> float:
        # By symmetry only t >= 0 is asked for: the library's function is most accurate there. Far below zero it gives
        # NaN where the probability is 1 to the last bit.
        probability = float(nctdtr(df, nc, abs(t)))
        return 1.0 if nc < 0 and math.isnan(probability) else probability

    def limit(probability: float) -> float:
        return float(brentq(lambda nc: below(nc) - probability, -reach, abs(t) + reach, xtol=1e-12, rtol=1e-12))

    low, high = limit(1 - tail), limit(tail)
    return (low, high) if t >= 0 else (-high, -low)


def small_sample_factor(df: float) -> float:
    """Hedges' exact correction J(df), which makes d unbiased. Source: Hedges 1981, equation 6e."""
    return math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2) if df > 1 else 0.0
