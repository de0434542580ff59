"""Sessions and their outcome as one small table, and the units of analysis that a design makes of it.

The unit of analysis is never silently the session: sessions of one persona are averaged before anything is
compared, because they are not independent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from cbtrun.contract.records import Group, Session
from cbtrun.contract.worded import Which, which_rating
from cbtrun.errors import StatisticsError
from cbtrun.scores.score import Score
from cbtrun.statistics.samples import describe

NOT_RATED = "not rated"
EXCLUDED = "excluded"
"""How the reason of a session begins that has a value and is left out."""


class LevelledSession(NamedTuple):
    """A session without its words, and the levels that it stands under."""

    id: str
    arm: str | None
    persona: str | None
    repeat: int
    levels: Mapping[str, str]
    """Level of each factor; labels, `arm` and `persona` can be used as factors too."""
    flags: tuple[str, ...] = ()
    tuning: str | None = None
    """Tune job and seed of its therapist, `job@seed`; none where it was not tuned, or nobody knows."""

    @classmethod
    def of(
        cls, session: Session, more: Mapping[str, str] = MappingProxyType({}), tuning: str | None = None
    ) -> LevelledSession:
        """more: further levels (its patient model, its persona's attributes); the session's own go before them."""
        named = {"arm": session.arm, "persona": session.persona}
        own = {name: level for name, level in named.items() if level is not None}
        levels = {**more, **session.labels, **own, **session.factors}
        return cls(session.id, session.arm, session.persona, session.repeat, levels, session.flags, tuning)


class Row(NamedTuple):
    """One session: who, under which levels, and its value or the reason why there is none."""

    session: str
    arm: str | None
    persona: str | None
    repeat: int
    levels: Mapping[str, str]
    """Level of each factor; labels, `arm` and `persona` can be used as factors too."""
    value: float | None
    reason: str | None
    lowest: float | None = None
    """The value, or the lowest that a missing one could have been; none where the scale has no end."""
    highest: float | None = None
    """The value, or the highest that a missing one could have been."""
    ratings: Mapping[tuple[str, Which], float] = MappingProxyType({})
    """(rater, repeat) -> points: the single ratings with a value, also where one without leaves the session without."""
    tuning: str | None = None
    """Tune job and seed of its therapist, `job@seed`; none where it was not tuned, or nobody knows."""


@dataclass(frozen=True)
class AnalysisTable:
    """One row per session, on one outcome."""

    outcome: str
    rows: tuple[Row, ...]
    low: float | None = None
    """Lowest value that the outcome can have, where known."""
    high: float | None = None
    """Highest value that the outcome can have, where known."""
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The filter that the rows have passed."""
    subgroup: bool = False
    """Whether the table is one level of the analysis's `by`."""


class AnalysisUnit(NamedTuple):
    """One independent value: a persona's mean, or a session without a persona."""

    key: str
    """Id of the persona, or of the session where it has none."""
    value: float
    sessions: tuple[str, ...]


class Pair(NamedTuple):
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


def analysis_table(
    outcome: str,
    sessions: Iterable[LevelledSession],
    scores: Mapping[str, Score],
    ends: tuple[float | None, float | None] = (None, None),
    excluded_flags: Sequence[str] = (),
) -> AnalysisTable:
    """The table of one outcome, in the sessions' order.

    scores: session -> its score on the outcome. ends: of the outcome's scale, where known. excluded_flags: sessions with
    such a fidelity flag count as missing. Raises StatisticsError on NaN or infinite values.
    """
    raters = {single.rater for score in scores.values() for single in score.singles}
    several = len(raters) > 1 or any(len(score.singles) > 1 for score in scores.values())
    rows = tuple(
        _excluded(_row(outcome, session, scores.get(session.id), ends, several), session.flags, excluded_flags)
        for session in sessions
    )
    return AnalysisTable(outcome, rows, *ends)


def _row(
    outcome: str,
    session: LevelledSession,
    score: Score | None,
    ends: tuple[float | None, float | None],
    several: bool,
) -> Row:
    """several: whether any session of the table has more than one rating, or another rater than the others."""
    value = score.value if score is not None else None
    if value is not None and not math.isfinite(value):
        raise StatisticsError(f"{outcome}: session {session.id} has the value {value}; NaN and infinities are refused")
    key = (session.id, session.arm, session.persona, session.repeat, session.levels)
    singles: dict[tuple[str, Which], float] = {}
    if several and score is not None:
        singles = {
            (one.rater, which_rating(one.repeat, one.wording)): one.value
            for one in score.singles
            if one.value is not None
        }
    if score is None or value is None:
        reason = NOT_RATED if score is None else score.reason or "no reason given"
        lowest = ends[0] if score is None or score.lowest is None else score.lowest
        highest = ends[1] if score is None or score.highest is None else score.highest
        return Row(*key, None, reason, lowest, highest, singles, session.tuning)
    return Row(*key, value, None, value, value, singles, session.tuning)


def _excluded(row: Row, flags: Sequence[str], excluded: Sequence[str]) -> Row:
    """A flagged session without its value; what it was rated stays as its bounds."""
    found = [flag for flag in flags if flag.split(":")[0].strip() in excluded]
    if not found or row.value is None:
        return row._replace(ratings={}) if found else row
    name = found[0].split(":")[0].strip()
    reason = found[0] if name == EXCLUDED else f"{EXCLUDED}: {name}"
    return row._replace(value=None, reason=reason, ratings={})


def kept_levels(where: Mapping[str, str | Sequence[str]] | None) -> dict[str, tuple[str, ...]]:
    """`where:` of an analysis with every level in a tuple."""
    return {name: (levels,) if isinstance(levels, str) else tuple(levels) for name, levels in (where or {}).items()}


def keep_where(table: AnalysisTable, where: Mapping[str, Sequence[str]]) -> AnalysisTable:
    """The rows whose levels are all among those wanted; an empty filter keeps every row."""
    rows = tuple(row for row in table.rows if all(row.levels.get(name) in kept for name, kept in where.items()))
    return replace(table, rows=rows, where={**table.where, **{name: tuple(kept) for name, kept in where.items()}})


def levels_of(table: AnalysisTable, factor: str) -> tuple[str, ...]:
    """The levels of a factor that occur, sorted."""
    return tuple(sorted({row.levels[factor] for row in table.rows if factor in row.levels}))


def subgroups(table: AnalysisTable, by: str) -> tuple[AnalysisTable, ...]:
    """The table cut into the levels of `by`."""
    return tuple(replace(keep_where(table, {by: [level]}), subgroup=True) for level in levels_of(table, by))


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
    if len(rows) == 1 and rows[0].value is not None:
        return AnalysisUnit(key, rows[0].value, (rows[0].session,))
    ordered = sorted(rows, key=lambda row: row.session)
    values = [row.value for row in ordered if row.value is not None]
    return AnalysisUnit(key, math.fsum(values) / len(values), tuple(row.session for row in ordered))


def are_averaged(units: Iterable[AnalysisUnit]) -> bool:
    """Whether any unit is the mean of several sessions."""
    return any(len(unit.sessions) > 1 for unit in units)


def are_paired(groups: Sequence[Sequence[Row]]) -> bool:
    """Whether any persona has sessions in two of the groups, so that they are not independent."""
    seen: set[str] = set()
    for rows in groups:
        here = {row.persona for row in rows if row.persona is not None}
        if here & seen:
            return True
        seen |= here
    return False


def pair_by_persona(first: Sequence[Row], second: Sequence[Row]) -> Pairing:
    """Pairs of one persona's means at two levels, sorted by persona."""
    with_persona = [[row for row in rows if row.persona is not None] for rows in (first, second)]
    at_first, at_second = ({unit.key: unit for unit in independent_units(rows)} for rows in with_persona)
    both = sorted(at_first.keys() & at_second.keys())
    unpaired = sorted(at_first.keys() ^ at_second.keys())
    alone = set(unpaired)
    unused = {row.session: "no persona to pair by" for row in (*first, *second) if row.persona is None}
    for unit in (*at_first.values(), *at_second.values()):
        if unit.key in alone:
            unused.update(dict.fromkeys(unit.sessions, "persona has no value at the other level"))
    pairs = tuple(Pair(key, at_first[key].value, at_second[key].value) for key in both)
    return Pairing(pairs, unused, tuple(unpaired))


def shared_personas(groups: Sequence[Sequence[Row]]) -> int:
    """Personas with a session in every group, with or without a value: units that there would be were nothing missing."""
    met = [{row.persona for row in rows if row.persona is not None} for rows in groups]
    return len(set.intersection(*met)) if met else 0


@dataclass(frozen=True)
class CompleteBlocks:
    """Personas with a value at every level."""

    personas: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    """(personas, levels): means over a persona's sessions at a level."""
    unused: Mapping[str, str]
    """Session -> why it is not used, for sessions with a value."""
    incomplete: tuple[str, ...]
    """Personas that lack a value at some level."""


def complete_blocks(groups: Sequence[Sequence[Row]]) -> CompleteBlocks:
    """Personas as blocks over all levels, sorted by persona."""
    units = [
        {unit.key: unit for unit in independent_units([row for row in rows if row.persona is not None])}
        for rows in groups
    ]
    everyone = sorted({key for at_level in units for key in at_level})
    complete = [key for key in everyone if all(key in at_level for at_level in units)]
    whole = set(complete)
    incomplete = [key for key in everyone if key not in whole]
    unused = {row.session: "no persona to compare within" for rows in groups for row in rows if row.persona is None}
    for at_level in units:
        for key in incomplete:
            if key in at_level:
                unused.update(dict.fromkeys(at_level[key].sessions, "persona has no value at another level"))
    values = tuple(tuple(at_level[key].value for at_level in units) for key in complete)
    return CompleteBlocks(tuple(complete), values, unused, tuple(incomplete))


def group_of(
    level: str, rows: Sequence[Row], values: Sequence[float], unused: Mapping[str, str] | None = None
) -> Group:
    """One level's group: sessions used and not used with reasons; mean, SD and median of the units' values."""
    reasons: Counter[str] = Counter()
    unscored = 0
    for row in rows:
        if row.value is None:
            reasons[row.reason or "no reason given"] += 1
            unscored += not (row.reason or "").startswith(EXCLUDED)
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
        unscored=unscored,
    )
