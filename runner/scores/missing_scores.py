"""What totals would be, were unscored items filled in: sensitivity analyses, never the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from cbtrun.contract.records import Record
from cbtrun.scores.score import Score
from cbtrun.statistics.samples import stored_float

RULES = ("prorated", "lowest", "highest")
Filled = Mapping[str, Mapping[str, Mapping[str, float | None]]]
"""Outcome -> rule -> session -> points; of outcomes with a gap alone."""


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


def filled_in(scores: Mapping[str, Score]) -> dict[str, dict[str, float | None]]:
    """Rule -> session -> the total or subscale under it; empty where every session has one of its own.

    scores: session -> its score on that outcome.
    """
    if all(score.value is not None for score in scores.values()):
        return {}
    return {rule: {session: getattr(score, rule) for session, score in scores.items()} for rule in RULES}


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
            **{rule: _mean(by_rule[rule], ids) for rule in RULES},
        )
        for outcome, by_rule in filled.items()
        for grouping, levels in members.items()
        for level, ids in levels.items()
    )


def _mean(values: Mapping[str, float | None], ids: Sequence[str]) -> float | None:
    found = [value for id in ids if (value := values.get(id)) is not None]
    return stored_float(fmean(found)) if found else None
