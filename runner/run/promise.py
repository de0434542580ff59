"""A study's pre-registration: where it lies, when it came into a run folder, and whether the run kept to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.contexts import Promise
from cbtrun.contract.digests import file_digest
from cbtrun.files.run_folder import RunFolder, write_atomically
from cbtrun.ratings.rubric import rubric_digest
from cbtrun.run.inputs import output_path

if TYPE_CHECKING:
    from cbtrun.analysis.preregistration import Registration
    from cbtrun.study.spec import Study

KEPT = "registration.json"
"""The promise's copy in a run folder."""


def registration_beside(study: Study) -> Path:
    """Where a study's registration lies: beside its file."""
    return study.path.with_name(f"{study.path.stem}.registration.json")


def keep_registration(study: Study, folder: RunFolder) -> None:
    """Copy the registration beside the study into the run folder, once: the first one is the promise.

    Raises StageError when it was edited after it was made.
    """
    from cbtrun.analysis.preregistration import read_registration

    beside, kept = registration_beside(study), folder.path / KEPT
    if beside.exists() and not kept.exists():
        read_registration(beside)
        write_atomically(kept, beside.read_text(encoding="utf-8"))


def registration_digest(folder: RunFolder) -> str:
    """SHA-256 of the promise in a run folder; empty where there is none."""
    kept = folder.path / KEPT
    return file_digest(kept) if kept.exists() else ""


def register_study(study: Study, personas: Mapping[str, str], when: datetime) -> Registration:
    """The promise of a study as it stands now. personas: set -> digest, for the sets that could be made."""
    from cbtrun.analysis.preregistration import register

    return register(study.data, _rubrics(study), when, personas)


def personas_made(study: Study, folder: RunFolder) -> dict[str, str]:
    """Persona set -> SHA-256 of what is in the run folder."""
    paths = {name: output_path(folder, "personas", name) for name in study.personas}
    return {name: file_digest(path) for name, path in paths.items() if path.exists()}


def promise_of(study: Study, folder: RunFolder, first_run: float | None) -> Promise | None:
    """Whether a run kept to its registration; none where there is none. first_run: seconds since 1970.

    Raises StageError when the registration was edited after it was made.
    """
    from cbtrun.analysis.preregistration import deviations, read_registration, registration_words

    kept = folder.path / KEPT
    if not kept.exists():
        return None
    registration = read_registration(kept)
    found = deviations(registration, study.data, _rubrics(study), personas_made(study, folder))
    told = (*_late(registration, first_run), *map(str, found))
    return Promise(registration_words(registration, told), told)


def _rubrics(study: Study) -> dict[str, str]:
    return {name: rubric_digest(rubric) for name, rubric in study.rubrics().items()}


def _late(registration: Registration, first_run: float | None) -> tuple[str, ...]:
    """A word where the promise was made after the data had begun to exist."""
    if first_run is None or datetime.fromisoformat(registration.registered_at).timestamp() <= first_run:
        return ()
    began = datetime.fromtimestamp(first_run, UTC).isoformat(timespec="seconds")
    return (f"it was registered after the first run had begun ({began}): data may have been seen before",)
