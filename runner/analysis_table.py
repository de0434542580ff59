"""Sessions and their outcome as one small table, and the units of analysis that a design makes of it.

The unit of analysis is never silently the session: sessions of one persona are averaged before anything is
compared, because they are not independent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cbtrun.errors import StatisticsError
from cbtrun.records import Group, Session
from cbtrun.statistics.samples import describe

NOT_RATED = "not rated"


class OutcomeValue(Protocol):
    """A session's value on one outcome, or why it has none."""

    @property
    def value(self) -> float | None:
        """In rubric points."""

    @property
    def reason(self) -> str | None:
        """Why there is no value."""


@dataclass(frozen=True, slots=True)
class Row:
    """One session: who, under which levels, and its value or the reason why there is none."""

    session: str
    arm: str | None
    persona: str | None
    repeat: int
    levels: Mapping[str, str]
    """Level of each factor; labels, `arm` and `persona` can be used as factors too."""
    value: float | None
    reason: str | None


@dataclass(frozen=True)
class AnalysisTable:
    """One row per session, on one outcome."""

    outcome: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class AnalysisUnit:
    """One independent value: a persona's mean, or a session without a persona."""

    key: str
    """Id of the persona, or of the session where it has none."""
    value: float
    sessions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """One persona's means at two levels."""

    persona: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        """First minus second."""
        return self.first - self.second


@dataclass(frozen=True)
class Pairing:
    """The pairs of two levels, and the rows that found no partner with the reason."""

    pairs: tuple[Pair, ...]
    unused: Mapping[str, str]
    """Session -> why it is not used, for sessions with a value."""
    unpaired: tuple[str, ...]
    """Personas with a value at one of the two levels only."""


def analysis_table(outcome: str, sessions: Iterable[Session], values: Mapping[str, OutcomeValue]) -> AnalysisTable:
    """The table of one outcome, in the sessions' order. Raises StatisticsError on NaN or infinite values."""
    return AnalysisTable(outcome, tuple(_row(outcome, session, values.get(session.id)) for session in sessions))


def _row(outcome: str, session: Session, found: OutcomeValue | None) -> Row:
    value = found.value if found is not None else None
    reason = NOT_RATED if found is None else found.reason
    if value is not None and not math.isfinite(value):
        raise StatisticsError(f"{outcome}: session {session.id} has the value {value}; NaN and infinities are refused")
    named = {"arm": session.arm, "persona": session.persona}
    levels = {
        **session.labels,
        **{name: level for name, level in named.items() if level is not None},
        **session.factors,
    }
    if value is None:
        return Row(session.id, session.arm, session.persona, session.repeat, levels, None, reason or "no reason given")
    return Row(session.id, session.arm, session.persona, session.repeat, levels, float(value), None)


def kept_levels(where: Mapping[str, str | Sequence[str]] | None) -> dict[str, tuple[str, ...]]:
    """`where:` of an analysis with every level in a tuple."""
    return {name: (levels,) if isinstance(levels, str) else tuple(levels) for name, levels in (where or {}).items()}


def keep_where(table: AnalysisTable, where: Mapping[str, Sequence[str]]) -> AnalysisTable:
    """The rows whose levels are all among those wanted; an empty filter keeps every row."""
    rows = tuple(row for row in table.rows if all(row.levels.get(name) in kept for name, kept in where.items()))
    return AnalysisTable(table.outcome, rows)


def rows_at(table: AnalysisTable, factor: str, level: str) -> tuple[Row, ...]:
    """The rows at one level of a factor."""
    return tuple(row for row in table.rows if row.levels.get(factor) == level)


def independent_units(rows: Sequence[Row]) -> tuple[AnalysisUnit, ...]:
    """One unit per persona (mean of its sessions with a value) or per session without one, sorted by its key."""
    members: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.value is not None:
            key = ("session", row.session) if row.persona is None else ("persona", row.persona)
            members.setdefault(key, []).append(row)
    return tuple(_unit(key[1], members[key]) for key in sorted(members))


def _unit(key: str, rows: Sequence[Row]) -> AnalysisUnit:
    ordered = sorted(rows, key=lambda row: row.session)
    values = [row.value for row in ordered if row.value is not None]
    return AnalysisUnit(key, math.fsum(values) / len(values), tuple(row.session for row in ordered))


def are_averaged(units: Iterable[AnalysisUnit]) -> bool:
    """Whether any unit is the mean of several sessions."""
    return any(len(unit.sessions) > 1 for unit in units)


def pair_by_persona(first: Sequence[Row], second: Sequence[Row]) -> Pairing:
    """Pairs of one persona's means at two levels, sorted by persona."""
    with_persona = [[row for row in rows if row.persona is not None] for rows in (first, second)]
    at_first, at_second = ({unit.key: unit for unit in independent_units(rows)} for rows in with_persona)
    both = sorted(at_first.keys() & at_second.keys())
    unpaired = sorted(at_first.keys() ^ at_second.keys())
    unused = {row.session: "no persona to pair by" for row in (*first, *second) if row.persona is None}
    for unit in (*at_first.values(), *at_second.values()):
        if unit.key in unpaired:
            unused.update(dict.fromkeys(unit.sessions, "persona has no value at the other level"))
    pairs = tuple(Pair(key, at_first[key].value, at_second[key].value) for key in both)
    return Pairing(pairs, unused, tuple(unpaired))


def group_of(
    level: str, rows: Sequence[Row], values: Sequence[float], unused: Mapping[str, str] | None = None
) -> Group:
    """One level's group: sessions used and not used with reasons; mean, SD and median of the units' values."""
    reasons: Counter[str] = Counter()
    for row in rows:
        if row.value is None:
            reasons[row.reason or "no reason given"] += 1
        elif unused and row.session in unused:
            reasons[unused[row.session]] += 1
    missing = sum(reasons.values())
    described = describe(values)
    return Group(
        level=level,
        n=len(rows) - missing,
        missing=missing,
        reasons=dict(sorted(reasons.items())),
        mean=described.mean,
        sd=described.sd,
        median=described.median,
        units=described.n,
    )
