"""Groupings of the sessions, and what the values of one group come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median, stdev
from typing import Any

from cbtrun.contract.study_view import StudyView, view_of
from cbtrun.ratings.reasons import reason_kind
from cbtrun.results.records import GroupSummary
from cbtrun.scores.placed import Placed
from cbtrun.statistics.clustered import Ends, clustered_interval


def grouping_levels(study: Mapping[str, Any], sessions: Sequence[Placed]) -> dict[str, tuple[str, ...]]:
    """Grouping -> its levels: `all`, `arm` where sessions have one, and every factor; levels in the study's order."""
    factors = sorted({factor for session in sessions for factor in session.factors})
    groupings = ["all", *(["arm"] if any(session.arm for session in sessions) else []), *factors]
    return {grouping: _levels(view_of(study), sessions, grouping) for grouping in groupings}


def level_of(session: Placed, grouping: str) -> str | None:
    """The level a session has in a grouping; none when it belongs to no level."""
    if grouping == "all":
        return "all"
    return session.arm if grouping == "arm" else session.factors.get(grouping)


def describe(
    level: str,
    values: Mapping[str, float | None],
    reasons: Mapping[str, str],
    sessions: Sequence[Placed],
    ends: Ends = (None, None),
) -> GroupSummary:
    """n, mean with its interval, SD, median and what is missing, for the sessions of one level.

    ends: of the outcome's scale, which the interval does not leave.
    """
    scored = [(session, value) for session in sessions if (value := values.get(session.id)) is not None]
    missing = [session for session in sessions if values.get(session.id) is None]
    points = [value for _, value in scored]
    clusters = [session.persona or f"session:{session.id}" for session, _ in scored]
    return GroupSummary(
        level=level,
        n=len(points),
        missing=len(missing),
        reasons=sorted_counts(reason_kind(reasons.get(session.id, "not rated")) for session in missing),
        mean=fmean(points) if points else None,
        sd=stdev(points) if len(points) > 1 else None,
        median=median(points) if points else None,
        personas=len(set(clusters)),
        interval=clustered_interval(points, clusters, ends=ends),
        low=min(points, default=None),
        high=max(points, default=None),
    )


def members_of_levels(
    sessions: Sequence[Placed], levels: Mapping[str, tuple[str, ...]]
) -> dict[str, dict[str, list[str]]]:
    """Grouping -> level -> ids of its sessions."""
    return {
        grouping: {level: [one.id for one in sessions if level_of(one, grouping) == level] for level in names}
        for grouping, names in levels.items()
    }


def _levels(study: StudyView, sessions: Sequence[Placed], grouping: str) -> tuple[str, ...]:
    """Levels that occur, in the order of the analyses that name them, then of the arms, then by name."""
    present = {level for session in sessions if (level := level_of(session, grouping)) is not None}
    named: list[str] = []
    for analysis in study.analyses.values():
        if analysis.factor == grouping:
            named += analysis.levels
    named += [arm.name if grouping == "arm" else arm.factors.get(grouping, "") for arm in study.arms.values()]
    ordered = [level for level in dict.fromkeys(named) if level in present]
    return (*ordered, *sorted(present - set(ordered)))


def sorted_counts(names: Iterable[str]) -> dict[str, int]:
    """How often each name occurs, by name."""
    return dict(sorted(Counter(names).items()))
