"""The comparison that a study opens with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cbtrun.analysis.scope import tunings_of

if TYPE_CHECKING:
    from cbtrun.contract.records import Comparison
    from cbtrun.contract.study_view import StudyView


def headline_of(comparisons: Sequence[Comparison], study: StudyView, named: str = "") -> Comparison | None:
    """The first comparison of the analysis named, or of the study's first one; none where nothing was compared.

    Where nobody named one and the first averages several tunings, the same contrast by a model that has them as random
    speaks first: it alone says how much another tuning would differ.
    """
    wanted = [one for one in comparisons if one.analysis == named]
    first = next(iter([*wanted, *comparisons]), None)
    if first is None or wanted or "seed" in first.covers or max(tunings_of(first, study).values(), default=1) < 2:
        return first
    return next((one for one in comparisons if _asks_the_same(one, first) and "seed" in one.covers), first)


def _asks_the_same(one: Comparison, other: Comparison) -> bool:
    same = (one.outcome, one.factor, one.where) == (other.outcome, other.factor, other.where)
    return same and {*one.levels} == {*other.levels}
