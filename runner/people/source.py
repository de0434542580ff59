"""One `people:` block as an analysis reads it: what people gave on each session, and with which chance it was drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.errors import Place, Problem, SpecError, StageError
from cbtrun.people.draws import Design, chances, stratum, units_of
from cbtrun.people.human_ratings import Mapped, PeopleRatings, read_ratings
from cbtrun.people.sheet_key import Key, read_key
from cbtrun.scores.making import scores_of
from cbtrun.tables.row import Writing

if TYPE_CHECKING:
    from cbtrun.contract.records import Session
    from cbtrun.ratings.rubric import Rubric

NOTHING_YET = "people have given nothing yet: the block names no file"
REHEARSED = "a rehearsal has other sessions than those that people rated"
UNKNOWN = "the drawing chances are unknown"
NO_KEY = f"{UNKNOWN}: the block names no key"
NO_CHANCES = f"{UNKNOWN}: the key, of an earlier version, has none"
POOR = 0.4
"""Agreement below which people are usually said to agree poorly (Cicchetti 1994)."""


@dataclass(frozen=True)
class PeopleSource:
    """What people gave on the sessions of a study."""

    name: str
    least_agreement: float = POOR
    values: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    """Outcome -> session -> person -> points."""
    chances: Mapping[str, Fraction] = field(default_factory=dict)
    """Session that was drawn -> its chance."""
    strata: Mapping[str, str] = field(default_factory=dict)
    """Session -> stratum that it was drawn from; empty where all is one, or nobody knows."""
    design: str = ""
    """`pairs`, `sessions` or `all`; empty where the key does not say it."""
    fault: str = ""
    """Why nothing can be corrected by them, whatever the outcome; empty where it can."""

    @property
    def raters(self) -> tuple[str, ...]:
        """The people, by name."""
        return tuple(sorted({rater for of in self.values.values() for given in of.values() for rater in given}))


def read_source(name: str, block: Mapping[str, Any], rubric: Rubric, sessions: Sequence[Session]) -> PeopleSource:
    """A block's people. block: with absolute paths; rubric: that they used. Raises SpecError for files that do not fit."""
    least = float(block.get("agreement", POOR))
    if not block.get("file"):
        return PeopleSource(name, least, fault=NOTHING_YET)
    key = _key_of(block)
    people = people_ratings(name, block, rubric, [session.id for session in sessions], key)
    values = _values(people, rubric, name)
    if not key.codes:
        return PeopleSource(name, least, values, fault=NO_KEY)
    if not key.has_chances:
        return PeopleSource(name, least, values, fault=NO_CHANCES)
    known = {one.session: one.chance for one in key.drawn if one.chance is not None}
    strata = {session.id: stratum(session, key.by) for session in sessions} if key.design else {}
    fault = _other_sessions(key, sessions)
    return PeopleSource(name, least, values, known, strata, key.design, fault)


def people_ratings(
    name: str, block: Mapping[str, Any], rubric: Rubric, sessions: Sequence[str] | None, key: Key
) -> PeopleRatings:
    """What the files of a block hold. sessions: those of the run; None before there are any."""
    files = block.get("file") or []
    mapped = Mapped(
        columns=block.get("columns") or {},
        items=block.get("items") or {},
        not_applicable=frozenset(map(str, block.get("not_applicable") or ())),
        codes=key.codes,
    )
    writing = Writing(**{option: block.get(option) or "" for option in ("delimiter", "encoding", "records", "sheet")})
    paths = [Path(one) for one in ([files] if isinstance(files, str) else files)]
    return read_ratings(paths, rubric, sessions, mapped, name, writing)


def block_problems(name: str, block: Mapping[str, Any], rubric: Rubric) -> list[Problem]:
    """What is wrong with a block's files before there is a run: columns, items, scores, a broken key."""
    try:
        if block.get("file"):
            people_ratings(name, block, rubric, None, _key_of(block))
        else:
            _key_of(block)
    except SpecError as error:
        return list(error.problems)
    return []


def source_words(name: str, block: Mapping[str, Any], rubric: Rubric) -> str:
    """What a block brings, for the plan: `people.ada: 24 ratings of 12 sessions by 2 people; chances as the key has them`."""
    if not block.get("file"):
        return f"people.{name}: {NOTHING_YET}; analyses stand by the judge alone until then"
    key = _key_of(block)
    ratings = people_ratings(name, block, rubric, None, key).ratings
    sessions, people = len({one.session for one in ratings}), len({one.rater for one in ratings})
    chances = f"drawn as {key.design or 'you say'}, chances from the key" if key.has_chances else NO_CHANCES
    told = chances if key.codes else NO_KEY
    return f"people.{name}: {len(ratings)} ratings of {sessions} sessions by {people} people; {told}"


def _key_of(block: Mapping[str, Any]) -> Key:
    path = block.get("key")
    if not path:
        return Key({})
    key = read_key(Path(path))
    if not key.codes:
        raise SpecError([Problem(Place(str(path)), "", "the key of a sheet without a session in it")])
    return key


def _values(people: PeopleRatings, rubric: Rubric, name: str) -> dict[str, dict[str, dict[str, float]]]:
    """Outcome -> session -> person -> points; what somebody left open is not there."""
    values: dict[str, dict[str, dict[str, float]]] = {}
    for score in scores_of(name, people.ratings, rubric):
        for single in score.singles:
            if single.value is not None:
                values.setdefault(score.outcome, {}).setdefault(score.session, {})[single.rater] = single.value
    for (session, rater, outcome), points in people.sums.items():
        values.setdefault(outcome, {}).setdefault(session, {}).setdefault(rater, points)
    return values


def _other_sessions(key: Key, sessions: Sequence[Session]) -> str:
    """Why the chances are not those of this run's sessions; empty where they are."""
    there = {session.id for session in sessions}
    if gone := [one.session for one in key.drawn if one.session not in there]:
        return f"{UNKNOWN}: the run has no session '{gone[0]}' that the key has"
    if not key.design:
        return ""
    try:
        now = chances(units_of(sessions, Design(key.design, key.by, key.arms), key.secret), ())
        spoken = [one for one in sessions if one.turns]  # who was forgotten since could be drawn then
        least = chances(units_of(spoken, Design(key.design, key.by, key.arms), key.secret), ())
    except StageError as error:
        return f"{UNKNOWN}: {error}"
    what = "personas" if key.design == "pairs" else "sessions"
    for one in key.drawn:
        low, high = (found.get(one.stratum, (0, 0))[1] for found in (least, now))
        if one.units is not None and not low <= one.units <= high:
            return f"{UNKNOWN}: the sheet was drawn from {one.units} {what} in {one.stratum}, and the run has {high}"
    return ""
