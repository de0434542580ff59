"""Take one person's words out of a run folder, for good: records, ratings, journal, report, sheets.

Scores and every n stay as they were. What holds words and cannot be taken apart (an adapter that was trained on them,
a file outside the run) is named. Killed half-way, the same command finishes it: each step can be done twice.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.contract.digests import file_digest
from cbtrun.files.plain_files import inside
from cbtrun.files.run_folder import REPORT_FILES, write_records
from cbtrun.forget.rated_words import remove_rated_words
from cbtrun.forget.whose import Person, person_of, records_of
from cbtrun.journal.forget import Removed, remove_replies
from cbtrun.run.failures import FILE as FAILURES
from cbtrun.run.inputs import Inputs, output_path
from cbtrun.run.tombstones import (
    StandingSession,
    Tombstone,
    set_tombstone,
    silent_persona,
    silent_rating,
    silent_session,
    stood_for,
    tombstones,
)

if TYPE_CHECKING:
    from cbtrun.contract.records import Adapter, Record
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

LOGS = ("run.log", "run.log.1", "traceback.txt")
"""Files that tell what failed, maybe in words of theirs."""
LEAST_TELLING = 24
"""Characters of the shortest text that is looked for afterwards: shorter ones ("How are you?") are anybody's."""
UNREADABLE = (".safetensors", ".gz", ".pt", ".png", ".woff2")
"""Endings of files in which no words can be looked for."""


@dataclass(frozen=True)
class Done:
    """What was taken out, and what was left."""

    person: Person
    ratings: dict[str, int]
    """Rating set -> ratings that keep their scores and have lost their words."""
    replies: Removed
    files: tuple[str, ...]
    """Files that were removed, relative to the run folder."""
    adapters: tuple[str, ...]
    outside: tuple[str, ...]
    """Files outside the run that the words were read from."""
    remaining: tuple[str, ...] = ()
    """Files of the run folder that still hold words of theirs."""


def forget_person(study: Study, registry: Registry, folder: RunFolder, asked: str) -> Done:
    """Take out everything of the person who has the id. Raises StageError for an id that no record has."""
    with folder.locked():
        inputs = Inputs(folder, study.data, study.rubrics())
        records = records_of(study, registry, folder, inputs)
        person = person_of(records, asked, tombstones(folder))
        rewritten = list(_rewritten(study, folder, inputs, person))
        trained = list(_adapters(study, folder, inputs, person))
        adapters = tuple(f"{one.name} ({one.folder})" for one in trained)
        # The tombstone goes first: what is killed after it finds the person's ids there, and ends what was begun.
        set_tombstone(folder, _stone(folder, inputs, person, asked, rewritten, adapters))
        ratings = {one.name: one.changed for one in rewritten if one.block == "ratings" and one.changed}
        for one in rewritten:
            write_records(one.path, one.records)
        replies = remove_replies(folder, person.ids, _stages_of(person, ratings))
        rated = remove_rated_words(folder.path, {one.id for one in person.sessions})
        files = (*_remove_pages(study, folder), *_remove_words_beside(folder, trained), *rated)
    done = Done(person, ratings, replies, files, adapters, tuple(_outside(study)))
    return replace(done, remaining=tuple(still_holding(folder.path, person.words(records))))


@dataclass(frozen=True)
class _Rewritten:
    """One file of records as it will be."""

    block: str
    name: str
    path: Path
    records: list[Any]
    changed: int
    """Records of the person."""


def _rewritten(study: Study, folder: RunFolder, inputs: Inputs, person: Person) -> Iterator[_Rewritten]:
    def file(block: str, name: str, records: Iterable[Record], changed: int) -> _Rewritten:
        return _Rewritten(block, name, output_path(folder, block, name), list(records), changed)

    own = {one.id for one in person.sessions}
    people = {one.id for one in person.personas}
    if own:
        silent = (silent_session(one) if one.id in own else one for one in inputs.sessions())
        yield file("sessions", "", silent, len(own))
    for name, block in study.rating_sets.items():
        if output_path(folder, "ratings", name).exists():
            rubric = inputs.rubric(block.rubric)
            of_words = frozenset(item.id for item in rubric.items if item.type == "text")
            given = list(inputs.ratings(name))
            changed = (silent_rating(one, of_words) if one.session in own else one for one in given)
            yield file("ratings", name, changed, sum(one.session in own for one in given))
    for name, theirs in person.transcripts.items():
        gone = {one.id for one in theirs}
        yield file("corpus", name, (one for one in inputs.corpus(name) if one.id not in gone), len(gone))
    for name in study.personas:
        if people and output_path(folder, "personas", name).exists():
            kept = list(inputs.personas(name))
            if any(one.id in people for one in kept):
                yield file("personas", name, (silent_persona(one) if one.id in people else one for one in kept), 1)


def _stone(
    folder: RunFolder,
    inputs: Inputs,
    person: Person,
    asked: str,
    rewritten: Iterable[_Rewritten],
    adapters: tuple[str, ...],
) -> Tombstone:
    from cbtrun.contract.digests import bytes_digest
    from cbtrun.files.record_list import lines_of

    stones = tombstones(folder)
    own = {one.id for one in person.sessions}
    standing = [StandingSession(at=at, session=silent_session(one)) for at, one in enumerate(inputs.sessions()) if one.id in own] if own else []  # fmt: skip
    stands_for = {}
    for one in rewritten:
        after = bytes_digest(b"".join(line + b"\n" for line in lines_of(one.records)))
        before = stood_for(stones, file_digest(one.path))
        if after != before:
            stands_for[after] = before
    return Tombstone(
        asked=asked,
        on=datetime.now(UTC).date().isoformat(),
        ids=tuple(sorted(person.ids)),
        sessions=tuple(standing),
        transcripts={name: len(found) for name, found in person.transcripts.items()},
        adapters=adapters,
        stands_for=stands_for,
    )


def _stages_of(person: Person, ratings: Iterable[str]) -> list[str]:
    """The stages whose replies hold the person's words."""
    stages = [f"corpus.{name}" for name in person.transcripts]
    if person.sessions:
        stages += ["sessions", *(f"ratings.{name}" for name in ratings)]
    return stages


def _adapters(study: Study, folder: RunFolder, inputs: Inputs, person: Person) -> Iterator[Adapter]:
    """Adapters that were trained on a corpus with a transcript of theirs."""
    for job in study.tune_jobs:
        trained_on = {one.name for one in study.references("tune", job) if one.kind == "corpus"}
        if trained_on & {*person.transcripts} and output_path(folder, "tune", job).exists():
            yield from inputs.adapters(job)


def _remove_pages(study: Study, folder: RunFolder) -> Iterator[str]:
    """Remove what was written for people to read: the report with its tables and figures, sheets, the list of failures."""
    sheets = sorted((folder.path / "sheets").glob("*")) if (folder.path / "sheets").is_dir() else []
    for path in [
        *(folder.report_files() or ()),
        *sheets,
        folder.path / FAILURES,
        *(folder.path / name for name in LOGS),
    ]:
        if path.is_file():
            path.unlink()
            yield path.relative_to(folder.path).as_posix()
    (folder.path / REPORT_FILES).unlink(missing_ok=True)


def _remove_words_beside(folder: RunFolder, adapters: Iterable[Adapter]) -> Iterator[str]:
    """Remove what lies beside adapters that were trained on their words and holds some: `*.words.json`."""
    for adapter in adapters:
        for path in sorted(inside(folder.path, adapter.folder).glob("*.words.json")):
            path.unlink()
            yield path.relative_to(folder.path).as_posix()


def _outside(study: Study) -> Iterator[str]:
    """Files that a study reads words from; they stay as they are."""
    from cbtrun.study.contains import BRINGING

    for one in study.all_references:
        if one.at[0] in BRINGING and one.path is not None and one.kind in ("file", "folder"):
            yield str(one.path)


def still_holding(folder: Path, words: Iterable[str]) -> Iterator[str]:
    """Files below a folder in which one of the texts stands, as it is or as JSON or HTML has it."""
    texts = {text.strip() for text in words if len(text.strip()) >= LEAST_TELLING}
    forms = {form.encode("utf-8", "replace") for text in texts for form in (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], html.escape(text))}  # fmt: skip
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix not in UNREADABLE:
            content = path.read_bytes()
            if any(form in content for form in forms):
                yield path.relative_to(folder).as_posix()
