"""Which records of a run are one person's: a session, everything derived from it, and all else of the same patient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbtrun.contract.records import Persona, Session, Transcript
from cbtrun.documents.schema_words import did_you_mean
from cbtrun.errors import StageError
from cbtrun.run.inputs import Inputs, output_path
from cbtrun.run.tombstones import DERIVED_FROM, Tombstone, is_theirs
from cbtrun.study.origins import real_people_in

if TYPE_CHECKING:
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


@dataclass(frozen=True)
class Records:
    """What a run folder holds of people."""

    sessions: Sequence[Session]
    personas: Mapping[str, Sequence[Persona]]
    """Persona set -> its personas; only sets that may be of real people."""
    corpora: Mapping[str, Sequence[Transcript]]
    invented: frozenset[str]
    """Ids of personas that are nobody."""


@dataclass(frozen=True)
class Person:
    """One person's records."""

    ids: frozenset[str]
    """Ids of their sessions, personas and transcripts."""
    sessions: tuple[Session, ...]
    transcripts: Mapping[str, tuple[Transcript, ...]]
    """Corpus -> their transcripts in it."""
    personas: tuple[Persona, ...]

    def words(self, records: Records) -> set[str]:
        """Everything that is said in their records, and in nobody else's: a therapist's usual question is not theirs."""
        own = {one.id for one in self.sessions}
        others = [one for one in records.sessions if one.id not in own]
        corpora = [one for found in records.corpora.values() for one in found if not is_theirs(one, {*self.ids})]
        theirs = [one for found in self.transcripts.values() for one in found]
        told = [persona.model_dump(mode="json", exclude={"id"}) for persona in self.personas]
        return {*_said(self.sessions, theirs), *(text for one in told for text in _texts(one))} - {
            *_said(others, corpora)
        }


def records_of(study: Study, registry: Registry, folder: RunFolder, inputs: Inputs) -> Records:
    """The records of a run that words may stand in."""

    def made(block: str) -> list[str]:
        return [name for name in study.blocks(block) if output_path(folder, block, name).exists()]

    theirs = real_people_in(study, registry)
    personas = {name: list(inputs.personas(name)) for name in made("personas")}
    return Records(
        list(inputs.sessions()) if output_path(folder, "sessions", "").exists() else [],
        {name: found for name, found in personas.items() if f"personas.{name}" in theirs},
        {name: list(inputs.corpus(name)) for name in made("corpus")},
        frozenset(one.id for name, found in personas.items() if f"personas.{name}" not in theirs for one in found),
    )


def person_of(records: Records, asked: str, earlier: Iterable[Tombstone] = ()) -> Person:
    """Everything of the person whose session, persona or transcript has the id that was asked for.

    Sessions of one patient are one person's, unless the patient is an invented persona. earlier: tombstones, by which a
    removal that was cut off is finished. Raises StageError for an id that no record has.
    """
    before = {one for stone in earlier if asked in stone.ids for one in stone.ids}
    known = {one.id for one in records.sessions} | {one.id for found in records.personas.values() for one in found}
    known |= {name for found in records.corpora.values() for one in found for name in (one.id, one.persona)}
    known |= {one.persona for one in records.sessions if one.persona} - records.invented
    if asked not in known | before:
        raise StageError(f"no session, persona or transcript '{asked}' in this run{did_you_mean(asked, sorted(known))}")
    ids = {asked} | {one.persona for one in records.sessions if one.id == asked and one.persona}
    ids |= {one.persona for found in records.corpora.values() for one in found if one.id == asked}
    ids = (ids | before) - records.invented
    sessions = _sessions(records.sessions, ids | {asked})
    ids |= {asked} | {one.id for one in sessions}
    transcripts = {name: tuple(one for one in found if is_theirs(one, ids)) for name, found in records.corpora.items()}
    personas = tuple(one for found in records.personas.values() for one in found if one.id in ids)
    ids |= {one.id for found in transcripts.values() for one in found}
    return Person(frozenset(ids), sessions, {name: found for name, found in transcripts.items() if found}, personas)


def _sessions(sessions: Sequence[Session], ids: set[str]) -> tuple[Session, ...]:
    """The sessions of these ids or patients, and those that were derived from one of them."""
    own = {one.id for one in sessions if one.id in ids or (one.persona and one.persona in ids)}
    return tuple(
        one
        for one in sessions
        if one.id in own or one.id.partition("~")[0] in own or one.labels.get(DERIVED_FROM) in own
    )


def _said(sessions: Iterable[Session], transcripts: Iterable[Transcript]) -> Iterator[str]:
    yield from (turn.text for session in sessions for turn in session.turns)
    yield from (message.content for transcript in transcripts for message in transcript.messages)


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _texts(child)
