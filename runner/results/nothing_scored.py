"""What of a study has not one score: a rating set, an arm, an outcome, an item. Such a run is not done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cbtrun.contract.records import Record
from cbtrun.contract.study_view import StudyView, view_of
from cbtrun.ratings.reasons import NOT_APPLICABLE
from cbtrun.results.records import GroupSummary, OutcomeSummary, RatingSetResults, Results

NO_SESSION = "there is no session"
FORGOTTEN = "forgotten"
MEANT = frozenset({NOT_APPLICABLE, FORGOTTEN})
"""Reasons that are answers: an item that applies to no session was judged, who was forgotten was to have no score."""


class NothingScored(Record):
    """One part without a score."""

    what: str
    """`rating set 'ctrs'`, `item 'ctrs.agenda'`, `arm 'cbt' on 'ctrs.total'` ..."""
    set: str
    """The rating set."""
    sessions: int
    """Sessions that should have one."""
    reasons: dict[str, int]
    """Why they have none -> sessions."""

    def __str__(self) -> str:
        """In words: what has no score, and why."""
        why = "; ".join(f"{reason} ({count} session{_s(count)})" for reason, count in self._most_first())
        return f"{self.what} has no score: {why or NO_SESSION}"

    def _most_first(self) -> list[tuple[str, int]]:
        return sorted(self.reasons.items(), key=lambda one: (-one[1], one[0]))


def nothing_scored(results: Results, study: Mapping[str, Any]) -> tuple[NothingScored, ...]:
    """Every part of the results that has not one score, the largest alone: not the items of a set that has none."""
    view = view_of(study)
    return tuple(one for name, rated in results.ratings.items() for one in _in_set(name, rated, view))


def _in_set(name: str, rated: RatingSetResults, study: StudyView) -> Iterator[NothingScored]:
    outcomes = [one for one in rated.outcomes if not _meant(_everybody(one))]
    if not outcomes:
        return
    if not any(_everybody(one).n for one in outcomes):
        yield _part(f"rating set '{name}'", name, _everybody(outcomes[0]))
        return
    for one in outcomes:
        if not _everybody(one).n:
            kind = "item" if one.kind == "item" else "outcome"
            yield _part(f"{kind} '{one.outcome}'", name, _everybody(one))
    scored = [one for one in outcomes if _everybody(one).n]
    yield from _in_levels(name, scored, study)


def _in_levels(name: str, outcomes: list[OutcomeSummary], study: StudyView) -> Iterator[NothingScored]:
    """Arms, or levels of a factor where sessions have no arm, without a score on what others are scored on."""
    first = outcomes[0]
    groupings = ["arm"] if study.arms else [grouping for grouping in first.groups if grouping not in ("all", "arm")]
    for grouping in groupings:
        there = {group.level for group in first.groups.get(grouping, ())}
        for arm in study.arms if grouping == "arm" else ():
            if arm not in there:
                yield NothingScored(what=f"arm '{arm}' on '{name}'", set=name, sessions=0, reasons={})
        for level in sorted(there, key=[group.level for group in first.groups[grouping]].index) if there else ():
            yield from _in_level(name, grouping, level, outcomes)


def _in_level(name: str, grouping: str, level: str, outcomes: list[OutcomeSummary]) -> Iterator[NothingScored]:
    groups = {one.outcome: _group(one, grouping, level) for one in outcomes}
    where = f"arm '{level}'" if grouping == "arm" else f"level '{level}' of '{grouping}'"
    asked = {outcome: group for outcome, group in groups.items() if not _meant(group)}
    if asked and not any(group.n for group in asked.values()):
        yield _part(f"{where} on '{name}'", name, next(iter(asked.values())))
        return
    for one in outcomes:
        if one.kind == "total" and one.outcome in asked and not asked[one.outcome].n:
            yield _part(f"{where} on '{one.outcome}'", name, asked[one.outcome])


def _part(what: str, name: str, group: GroupSummary) -> NothingScored:
    return NothingScored(what=what, set=name, sessions=group.missing, reasons=dict(group.reasons))


def _meant(group: GroupSummary) -> bool:
    """Whether nobody has a score for a reason that is an answer."""
    return not group.n and bool(group.reasons) and set(group.reasons) <= MEANT


def _everybody(outcome: OutcomeSummary) -> GroupSummary:
    return _group(outcome, "all", "all")


def _group(outcome: OutcomeSummary, grouping: str, level: str) -> GroupSummary:
    none = GroupSummary(level=level, n=0, missing=0, mean=None, sd=None, median=None, personas=0)
    return next((group for group in outcome.groups.get(grouping, ()) if group.level == level), none)


def _s(count: int) -> str:
    return "" if count == 1 else "s"
