"""Assumption checks, each in words: what was found and what it changes. The declared test is never swapped silently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbtrun.statistics.samples import as_sample, has_no_spread
from cbtrun.statistics.wording import p_value

if TYPE_CHECKING:
    from cbtrun.statistics.samples import Array

DOUBTFUL = 0.05
FEWEST = 20
"""Values below which a check that finds nothing says nothing: Shapiro-Wilk finds an exponential sample of 10 in 2 of 5 studies."""


@dataclass(frozen=True)
class Check:
    """Statistic and p of a check; none where it cannot be made."""

    statistic: float
    p: float


def shapiro_wilk(values: Sequence[float] | Array) -> Check | None:
    """Normality of one sample (Shapiro & Wilk 1965); none below three values, above 5,000, or without spread."""
    from scipy.stats import shapiro

    sample = as_sample(values)
    if not 3 <= sample.size <= 5000 or has_no_spread(sample):
        return None
    found = shapiro(sample)
    return Check(float(found.statistic), float(found.pvalue))


def brown_forsythe(groups: Sequence[Sequence[float] | Array]) -> Check | None:
    """Equal variance by absolute distances from the median (Brown & Forsythe 1974); none without spread."""
    import numpy as np
    from scipy.stats import levene

    samples = [as_sample(group) for group in groups]
    distances = [np.abs(sample - np.median(sample)) for sample in samples if sample.size > 1]
    if len(distances) < len(samples) or all(has_no_spread(one) for one in distances):
        return None
    found = levene(*samples, center="median")
    return Check(float(found.statistic), float(found.pvalue))


def normality_words(name: str, values: Sequence[float] | Array, instead: str) -> str:
    """Whether `name` may be taken as normal, and what to read beside t if not."""
    found = shapiro_wilk(values)
    if found is None:
        return f"normality of {name}: cannot be checked (too few values, too many, or no spread)"
    facts = f"Shapiro-Wilk W = {found.statistic:.3f}, {p_value(found.p)}"
    if found.p < DOUBTFUL:
        return f"normality of {name} is doubtful ({facts}): read {instead} beside the t interval"
    if len(values) < FEWEST:
        return f"normality of {name}: cannot be told from {len(values)} values ({facts}): read {instead} beside the t interval"
    return f"normality of {name}: nothing speaks against it ({facts})"


def variance_words(groups: Sequence[Sequence[float] | Array]) -> str:
    """Whether groups may be taken to have one variance, and what that changes."""
    found = brown_forsythe(groups)
    if found is None:
        return "equal variance: cannot be checked (a group has fewer than two values, or none has spread)"
    facts = f"Brown-Forsythe F = {found.statistic:.2f}, {p_value(found.p)}"
    if found.p < DOUBTFUL:
        return f"variances differ ({facts}): Welch's interval and test allow for it; a pooled SD (Hedges' g) does not"
    fewest = min(map(len, groups))
    if fewest < FEWEST:
        return f"equal variance: cannot be told from groups of {fewest} ({facts}); Welch's interval does not need it"
    return f"equal variance: nothing speaks against it ({facts}); Welch's interval does not need it"


def ceiling_words(values: Sequence[float] | Array, low: float | None, high: float | None) -> str | None:
    """A warning when a fifth or more of the values sit at one end of the scale; none otherwise."""
    sample = as_sample(values)
    for end, name in ((high, "highest"), (low, "lowest")):
        if end is not None and sample.size:
            share = float((sample == end).mean())
            if share >= 0.2:
                return f"{share:.0%} of the values are at the {name} end of the scale: differences are compressed there"
    return None
