"""Items that a reward is made of: those that the block names, or those that proved reliable in another study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import StageError, results_in

if TYPE_CHECKING:
    from cbtrun.plugin import Reliability, Rubric

FIRST = ("icc_2_1", "alpha_ordinal", "alpha_interval")
"""Coefficients of agreement, the one that is asked first."""


def chosen_items(wanted: Sequence[str] | Mapping[str, Any] | None, rated: str, rubric: Rubric) -> tuple[str, ...]:
    """The items; empty where the outcome is taken as it is. rated: the rating set. Raises StageError where none is reliable."""
    if wanted is None:
        return ()
    if not isinstance(wanted, Mapping):
        return tuple(wanted)
    path = Path(wanted["from"])
    sets = {name: one for name, one in results_in(path).ratings.items() if one.rubric.name == rubric.name}
    if not sets:
        raise StageError(f"{path}: nothing was rated there on the rubric '{rubric.name}' of '{rated}'")
    found = reliable_items([one for rating in sets.values() for one in rating.reliability], wanted["least"])
    known = [item.id for item in rubric.items if item.id in found]
    if not known:
        raise StageError(
            f"{path}: no item of '{rubric.name}' agrees between raters or repeats by {wanted['least']:g} at the lower end of its "
            "95 % interval: there is nothing to reward"
        )
    return tuple(known)


def reliable_items(agreed: Sequence[Reliability], least: float) -> set[str]:
    """Ids of the items whose agreement reaches `least`, wherever it was looked at."""
    items: dict[str, list[bool]] = {}
    for one in agreed:
        if one.kind == "item":
            items.setdefault(one.outcome.rpartition(".")[2], []).append(_lowest(one) >= least)
    return {item for item, reached in items.items() if all(reached)}


def _lowest(agreed: Reliability) -> float:
    """Lower end of the interval of the first coefficient that could be computed; below every bound where none could."""
    by_name = {one.name: one for one in agreed.coefficients}
    for name in FIRST:
        found = by_name.get(name)
        if found is not None and found.interval is not None:
            return found.interval.low
    return float("-inf")
