"""The tombstones of a run folder: who was forgotten, what stays of them, and what the changed files stand for.

A tombstone holds no word of the person: ids, factors, numbers. Stages that are done again get the same tombstone in the
same place, so that the person stays forgotten though the file that they were read from may still have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field

from cbtrun.contract.records import Persona, Rating, Record, Session, Transcript
from cbtrun.files.run_folder import RunFolder, read_records, write_records

FILE = "forgotten.jsonl"
FORGOTTEN = "forgotten"
"""Why a forgotten session ended, its flag, and what stands for the words of a forgotten persona."""
DERIVED_FROM = "control_of"
"""Label of a session that was derived from others: the session whose therapist speaks in it."""


class StandingSession(Record):
    """What stays of a session: its place among the others, and everything but its words."""

    at: int
    """Place among the sessions, from 0."""
    session: Session


class Tombstone(Record):
    """What stays of one person."""

    asked: str
    """The id that was to be forgotten."""
    on: str
    """Date, UTC."""
    ids: tuple[str, ...]
    """Ids of their sessions, personas and transcripts."""
    sessions: tuple[StandingSession, ...] = ()
    transcripts: Mapping[str, int] = Field(default_factory=dict)
    """Corpus -> transcripts that were taken out."""
    adapters: tuple[str, ...] = ()
    """Adapters that were trained on them."""
    stands_for: Mapping[str, str] = Field(default_factory=dict)
    """SHA-256 of a file as it is without them -> of the file that it stands for, so that nothing is done again."""


def tombstones(folder: RunFolder) -> list[Tombstone]:
    """Every tombstone of a run folder, in the order in which they were set."""
    path = folder.path / FILE
    return read_records(path, Tombstone) if path.exists() else []


def set_tombstone(folder: RunFolder, stone: Tombstone) -> None:
    """Add a tombstone."""
    write_records(folder.path / FILE, [*tombstones(folder), stone])


def stood_for(stones: Iterable[Tombstone], digest: str) -> str:
    """The digest that a file's digest stands for: its own, unless somebody was taken out of it."""
    known = {now: before for stone in stones for now, before in stone.stands_for.items()}
    while digest in known:
        digest = known[digest]
    return digest


def without_forgotten(stones: Sequence[Tombstone], block: str, result: Any) -> Any:
    """A stage's result with tombstones where forgotten people would stand; unchanged where nobody was forgotten."""
    if not stones:
        return result
    ids = {one for stone in stones for one in stone.ids}
    if block == "corpus":
        return [one for one in result if not is_theirs(one, ids)]
    if block == "personas":
        return [silent_persona(one) if one.id in ids else one for one in result]
    return _with_standing(stones, result) if block == "sessions" else result


def _with_standing(stones: Sequence[Tombstone], sessions: Iterable[Session]) -> list[Session]:
    standing = {one.session.id: one for stone in stones for one in stone.sessions}
    found = [standing[one.id].session if one.id in standing else one for one in sessions]
    there = {one.id for one in found}
    for one in sorted(standing.values(), key=lambda one: one.at):  # the file they came from may have lost them since
        if one.session.id not in there:
            found.insert(one.at, one.session)
    return found


def is_theirs(transcript: Transcript, ids: set[str]) -> bool:
    """Whether a transcript is one of the ids, of a persona among them, or begins as one of them."""
    begins = {"/".join(transcript.id.split("/")[:depth]) for depth in range(1, transcript.id.count("/") + 1)}
    return bool({transcript.id, transcript.persona, *begins} & ids)


def silent_session(session: Session) -> Session:
    """A session without a word of it: no turns, no labels but what it was derived from, flags by name alone."""
    flags = tuple(dict.fromkeys([FORGOTTEN, *(flag.partition(":")[0] for flag in session.flags)]))
    labels = {name: value for name, value in session.labels.items() if name == DERIVED_FROM}
    return session.model_copy(update={"turns": (), "ended": FORGOTTEN, "labels": labels, "flags": flags})


def silent_persona(persona: Persona) -> Persona:
    """A persona without a word of theirs: numbers and styles stay, for the tables that count them."""
    words = {name: "" for name, field in Persona.model_fields.items() if field.annotation is str and name != "id"}
    lists = {name: () for name, value in persona if isinstance(value, tuple)}
    return persona.model_copy(update={**words, **lists, "name": FORGOTTEN})


def silent_rating(rating: Rating, of_words: frozenset[str]) -> Rating:
    """A rating without a word of the session: scores, reasons and chosen categories stay. of_words: items of type text."""
    scores = tuple(
        one.model_copy(
            update={
                "rationale": "",
                "evidence": (),
                "notes": (),
                "label": FORGOTTEN if one.label and one.item in of_words else one.label,
            }
        )
        for one in rating.scores
    )
    flags = tuple(dict.fromkeys(flag.partition(":")[0] for flag in rating.flags))
    return rating.model_copy(update={"scores": scores, "flags": flags})
