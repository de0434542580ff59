"""The list of sessions: what can be filtered, sorted and opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cbtrun.plugin import Session, grouping_levels, level_of, reason_kind
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.plain_text import plain
from cbtrun.plugins.report.result_tables import outcome_title, outcomes
from cbtrun.plugins.report.scales import with_end
from cbtrun.plugins.report.transcripts import Pack
from cbtrun.plugins.report.wording import number


@dataclass(frozen=True)
class ListedSession:
    """One row of the list."""

    id: str
    chunk: int
    levels: tuple[str, ...]
    """Level in every filter, empty where it has none."""
    persona: str
    scores: tuple[str, ...]
    """One a total, an en dash where there is none."""
    missing: str
    """Why a total is missing."""
    turns: int
    ended: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class SessionList:
    """All sessions, and by what they can be filtered."""

    filters: Mapping[str, tuple[str, ...]]
    """Grouping -> its levels, where there is more than one."""
    totals: tuple[str, ...]
    """Names of the columns of scores."""
    sessions: tuple[ListedSession, ...]
    with_personas: bool
    with_flags: bool


def list_sessions(given: ReportInput, pack: Pack) -> SessionList:
    """Every session in the study's order."""
    filters = {name: levels for name, levels in grouping_levels(given.study, given.sessions).items() if len(levels) > 1}
    totals = list(outcomes(given, ("total",))) or list(outcomes(given))[:1]
    listed = [
        _listed(given, session, tuple(filters), [one.outcome for one in totals], pack) for session in given.sessions
    ]
    return SessionList(
        filters=filters,
        totals=tuple(with_end(given, one.outcome, outcome_title(given, one)) for one in totals),
        sessions=tuple(listed),
        with_personas=any(one.persona for one in listed),
        with_flags=any(one.flags for one in listed),
    )


def _listed(
    given: ReportInput, session: Session, filters: tuple[str, ...], totals: list[str], pack: Pack
) -> ListedSession:
    parts = [outcome.split(".", 1) for outcome in totals]
    values = [given.rated[name].values[short].get(session.id) for name, short in parts]
    reasons = [given.rated[name].reasons[short].get(session.id, "not rated") for name, short in parts]
    return ListedSession(
        id=session.id,
        chunk=pack.chunk_of[plain(session.id)],
        levels=tuple(level_of(session, name) or "" for name in filters),
        persona=session.persona or "",
        scores=tuple(number(value).replace(".0", "") if value is not None else "–" for value in values),
        missing="; ".join(
            dict.fromkeys(reason_kind(why) for why, value in zip(reasons, values, strict=True) if value is None)
        ),
        turns=len(session.turns),
        ended=session.ended.replace("_", " "),
        flags=tuple(reason_kind(flag) for flag in session.flags),
    )
