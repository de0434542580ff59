"""A study's pre-registration: where it lies, when it came into a run folder, and whether the run kept to it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from cbtrun.contexts import Promise
from cbtrun.contract.digests import file_digest
from cbtrun.contract.study_view import without_statements
from cbtrun.files.run_folder import RunFolder, write_json
from cbtrun.ratings.rubric import rubric_digest
from cbtrun.run.inputs import output_path
from cbtrun.run.register import RegisterLine, entries_of, note, now
from cbtrun.run.tombstones import stood_for, tombstones

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from cbtrun.analysis.preregistration import MadeDigests, Registration
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

KEPT = "registration.json"
"""The promise's copy in a run folder."""
FOUND = "promise.json"
"""How the last run of a folder kept to its promise: the study's files may be elsewhere when its report is made again."""


def registration_beside(study: Study) -> Path:
    """Where a study's registration lies: beside its file."""
    return study.path.with_name(f"{study.path.stem}.registration.json")


def keep_registration(study: Study, folder: RunFolder) -> None:
    """Copy the registration beside the study into the run folder, once, and note in the register what begins.

    The first one is the promise. A rehearsal promises nothing and sees no data. Raises StageError when the registration
    was edited after it was made.
    """
    from cbtrun.analysis.preregistration import read_registration

    if study.stand_ins:
        return
    beside, kept, runs = registration_beside(study), folder.path / KEPT, folder.path.parent
    for path in (kept, beside):
        if path.exists():
            registration = read_registration(path)
            note(registered(study, registration), runs)
            if not kept.exists():
                write_json(kept, registration.model_dump(mode="json"))
    note(RegisterLine(event="run", at=now(), study=study.name, file=where(study)), runs)


def where(study: Study) -> str:
    """The study's file as the register has it."""
    return str(study.path.resolve())


def registered(study: Study, registration: Registration) -> RegisterLine:
    """The register's line about a registration."""
    at, content = registration.registered_at, registration.model_dump(mode="json")
    return RegisterLine(event="registered", at=at, study=study.name, file=where(study), registration=content)


def note_made(study: Study, folder: RunFolder, stage: str, output: str) -> None:
    """Note the digest of personas or a corpus when they are first made under a registration."""
    from cbtrun.analysis.preregistration import read_registration

    kept = folder.path / KEPT
    if kept.exists():
        under = read_registration(kept).digest
        about = RegisterLine(
            event="made", at=now(), study=study.name, file=where(study), under=under, of=stage, digest=output
        )
        note(about, folder.path.parent)


def register_study(study: Study, registry: Registry, made: MadeDigests, when: datetime) -> Registration:
    """The promise of a study as it stands now. made: digests of the personas and corpora that could be made."""
    from cbtrun.analysis.preregistration import register
    from cbtrun.study.frozen import frozen_of

    return register(without_statements(study.data), _rubrics(study), when, made, frozen_of(study, registry))


def made_in(study: Study, folder: RunFolder) -> MadeDigests:
    """Digests of the persona sets and corpora in the run folder; those who were forgotten since still count."""
    from cbtrun.analysis.preregistration import MadeDigests

    stones = tombstones(folder)

    def digests(block: str, names: Iterable[str]) -> dict[str, str]:
        paths = {name: output_path(folder, block, name) for name in names}
        return {name: stood_for(stones, file_digest(path)) for name, path in paths.items() if path.exists()}

    return MadeDigests(personas=digests("personas", study.personas), corpus=digests("corpus", study.corpora))


def promise_of(study: Study, registry: Registry, folder: RunFolder, first_run: float | None) -> Promise | None:
    """Whether a run keeps to its registration; none where there is none. first_run: seconds since 1970.

    Raises StageError when the registration was edited after it was made.
    """
    from cbtrun.analysis.preregistration import (
        claim_words,
        deviations,
        read_registration,
        registration_words,
        reworded,
        reworded_words,
    )
    from cbtrun.run.earlier import earlier_words, remade_words
    from cbtrun.study.frozen import frozen_of

    kept = folder.path / KEPT
    if not kept.exists():
        return None
    registration, frozen, made = read_registration(kept), frozen_of(study, registry), made_in(study, folder)
    entries = entries_of(where(study), study.name, folder.path.parent)
    told = (
        *earlier_words(registration, entries, first_run),
        *remade_words(made, entries, registration),
        *map(str, deviations(registration, without_statements(study.data), _rubrics(study), made, frozen)),
    )
    published = [entry.where for entry in entries if entry.event == "published" and entry.under == registration.digest]
    notes = (claim_words(registration, published), *reworded_words(reworded(registration, frozen)))
    return Promise(registration_words(registration, told), told, notes)


def keep_promise(folder: RunFolder, promise: Promise) -> None:
    """Write down how a run kept to its promise, for reports that are made again where its files are not there."""
    write_json(folder.path / FOUND, asdict(promise))


def kept_promise(folder: RunFolder) -> Promise | None:
    """How the last run kept to its promise; none where nothing was registered. Raises StageError for what is no such file."""
    from cbtrun.errors import StageError

    path = folder.path / FOUND
    if not path.exists():
        return None
    try:
        return TypeAdapter(Promise).validate_json(path.read_bytes())
    except ValueError as error:
        raise StageError(f"{path}: cannot be read: {error}") from None


def _rubrics(study: Study) -> dict[str, str]:
    return {name: rubric_digest(rubric) for name, rubric in study.rubrics().items()}
