"""What totals would be, were unscored items filled in: sensitivity analyses, never the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from cbtrun.ratings.rubric import Rubric
from cbtrun.records import Rating, Record
from cbtrun.scores.totals import Aggregate, Missing, values_by_outcome
from cbtrun.statistics.samples import stored_float

RULES: tuple[Missing, ...] = ("prorated", "lowest", "highest")
Filled = Mapping[str, Mapping[str, Mapping[str, float | None]]]
"""Rule -> outcome -> session -> points."""


class FilledMeans(Record):
    """One level's mean total, without and with its unscored items filled in."""

    outcome: str
    """`ctrs.total`, or a subscale."""
    grouping: str
    level: str
    n: int
    """Sessions with every item scored."""
    missing: int
    """Sessions with an unscored item."""
    mean: float | None
    """Of the sessions with every item scored: the result."""
    prorated: float | None
    """Of all sessions, unscored items as far up their scales as the scored ones; sessions with under half left out."""
    lowest: float | None
    """Of all sessions, unscored items at their lowest."""
    highest: float | None
    """Of all sessions, unscored items at their highest; none where an item has no upper bound."""


def filled_totals(
    ratings: Sequence[Rating], rubric: Rubric, aggregate: Aggregate, values: Mapping[str, Mapping[str, float | None]]
) -> Filled:
    """Totals and subscales under each rule, where any session has none of its own; else nothing.

    values: outcome -> session -> points as they are.
    """
    outcomes = [*(["total"] if rubric.total else []), *rubric.subscales]
    gaps = [name for name in outcomes if None in values.get(name, {}).values()]
    if not gaps:
        return {rule: {} for rule in RULES}
    by_rule = {rule: values_by_outcome(ratings, rubric, gaps, aggregate, rule) for rule in RULES}
    return {
        rule: {name: {id: one.value for id, one in found[name].items()} for name in gaps}
        for rule, found in by_rule.items()
    }


def filled_means(
    name: str,
    values: Mapping[str, Mapping[str, float | None]],
    filled: Filled,
    members: Mapping[str, Mapping[str, Sequence[str]]],
) -> tuple[FilledMeans, ...]:
    """One row for each outcome with a gap and each level. members: grouping -> level -> session ids."""
    return tuple(
        FilledMeans(
            outcome=f"{name}.{outcome}",
            grouping=grouping,
            level=level,
            n=sum(values[outcome].get(id) is not None for id in ids),
            missing=sum(values[outcome].get(id) is None for id in ids),
            mean=_mean(values[outcome], ids),
            **{rule: _mean(filled[rule][outcome], ids) for rule in RULES},
        )
        for outcome in filled.get("prorated", {})
        for grouping, levels in members.items()
        for level, ids in levels.items()
    )


def _mean(values: Mapping[str, float | None], ids: Sequence[str]) -> float | None:
    found = [value for id in ids if (value := values.get(id)) is not None]
    return stored_float(fmean(found)) if found else None
