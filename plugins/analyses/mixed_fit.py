"""The mixed model of a table's observations, and what its fit has to tell: terms without variance, opposite liking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cbtrun.plugin import MixedFit, StatisticsError, departures, fit_mixed
from cbtrun.plugins.analyses.mixed_terms import Observation, crosses

LOWER = 1e-6
"""By how much the criterion must be lower for personas to count as opposed to themselves."""

OPPOSED = (
    "{} with higher scores at one level have lower ones at another (negative correlation): each has a departure of its own "
    "at each level, as in a paired t test"
)
SINGULAR = (
    "the variance of {} is estimated as 0 (singular fit): test and degrees of freedom are those of a model without {}"
)


@dataclass(frozen=True)
class Fitted:
    """The model of a table's observations, or why there is none."""

    fit: MixedFit | None
    notes: tuple[str, ...]
    variance: Mapping[str, float]
    """Random term -> variance in squared points."""


def fitted_model(
    seen: Sequence[Observation], levels: Sequence[str], terms: Sequence[str], wanted: Sequence[str]
) -> Fitted:
    """Fit by REML; what may take to the levels in its own way (`persona:level`) may also take to opposite ones."""
    import numpy as np

    if len({one.level for one in seen}) < len(levels):
        return Fitted(None, ("mixed model: a level has no value",), {})
    values = [one.value for one in seen]
    fixed = np.array([[float(one.level == level) for level in levels] for one in seen])
    random = {term: [one.terms[term] for one in seen] for term in terms}
    try:
        fit = fit_mixed(values, fixed, random)
        opposed = [name for name in fit.singular if _may_be_opposed(seen, name, terms, wanted)]
        other = fit_mixed(values, fixed, _departing(seen, levels, terms, opposed)) if opposed else fit
    except StatisticsError as error:
        return Fitted(None, (str(error),), {})
    if other.criterion > fit.criterion - LOWER:
        return Fitted(fit, _singular(fit.singular), dict(fit.variance))
    variance = {**dict.fromkeys(terms, 0.0), **other.variance}
    for name in opposed:
        variance[f"{name}:level"] *= 1 - 1 / len(levels)  # of a departure from its own mean
    residual = variance.pop("residual")
    apart = [name for name in opposed if f"{name}:level" not in other.singular]
    note = OPPOSED.format(" and ".join(f"{name}s" for name in apart))
    at_zero = [name for name in other.singular if name not in apart]
    return Fitted(other, (note, *_singular(at_zero)), {**variance, "residual": residual})


def _may_be_opposed(seen: Sequence[Observation], name: str, terms: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether the same personas (raters, seeds) are at several levels, and the model lets them favour one."""
    favouring = f"{name}:level"
    asked = favouring in terms or (name == "persona" and favouring in wanted)  # `session` may stand in for it
    return asked and crosses(seen, name)


def _departing(
    seen: Sequence[Observation], levels: Sequence[str], terms: Sequence[str], opposed: Sequence[str]
) -> dict[str, Any]:
    """The random terms, with departures from the own mean in place of free values at each level for those opposed."""
    random: dict[str, Any] = {term: [one.terms[term] for one in seen] for term in terms}
    at = [one.level for one in seen]
    for name in opposed:
        if f"{name}:level" not in terms:  # one session each: the departure is all that can be told
            del random[name]
        random[f"{name}:level"] = departures([one.terms[name] for one in seen], at, levels)
    return random


def _singular(terms: Sequence[str]) -> tuple[str, ...]:
    names = [f"`{name}`" for name in terms]
    return (SINGULAR.format(" and ".join(names), "it" if len(names) == 1 else "them"),) if names else ()
