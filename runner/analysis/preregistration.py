"""What was promised before the data: analysis, rubrics, arms and personas frozen by digest, and every deviation since."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from cbtrun.contract.digests import canonical, digest
from cbtrun.contract.records import Json, Record
from cbtrun.contract.study_view import StudyView, view_of
from cbtrun.errors import StageError

REGISTRATION_FORMAT = 1
FROZEN = ("seed", "analysis", "ratings", "arms", "personas", "sessions", "tune", "corpus", "models")
"""Blocks of the study that decide what is compared with what; `report`, titles and addresses may change freely."""
FREE_OF_MODELS = ("base_url", "api_key_env", "limits", "prices", "timeout_seconds")
"""What of a model says where and how fast it answers, not which model it is."""
ABSENT = "(not there)"


class Registration(Record):
    """A promise: what will be compared, how, and when that was written down."""

    format: int = REGISTRATION_FORMAT
    study: str
    """Name of the study."""
    registered_at: str
    """Date and time with the offset from UTC, ISO 8601."""
    blocks: Json
    """The frozen blocks of the resolved study, as they stood."""
    rubrics: dict[str, str]
    """Rubric -> SHA-256 of its content."""
    personas: dict[str, str] = Field(default_factory=dict)
    """Persona set -> SHA-256 of its personas, for sets that were made already."""
    digest: str
    """SHA-256 over everything above: shows later edits of this file."""


class Deviation(Record):
    """One thing that is not as it was registered."""

    path: str
    """Where in the study: `analysis/main/levels/0`, or `rubrics/ctrs`."""
    registered: str
    """As it was promised."""
    now: str
    """As it is."""

    def __str__(self) -> str:
        """The deviation as a reader sees it."""
        return f"{self.path}: registered as {self.registered}, now {self.now}"


def register(
    study: Mapping[str, Any], rubrics: Mapping[str, str], when: datetime, personas: Mapping[str, str] | None = None
) -> Registration:
    """Freeze a resolved study. rubrics, personas: name -> digest. Raises StageError without a time zone or an analysis."""
    if when.tzinfo is None:
        raise StageError("a registration's time needs a time zone")
    view = view_of(study)
    if not view.analyses:
        raise StageError("nothing to register: the study declares no analysis")
    content = {
        "format": REGISTRATION_FORMAT,
        "study": view.name,
        "registered_at": when.isoformat(timespec="seconds"),
        "blocks": _frozen(view),
        "rubrics": dict(sorted(rubrics.items())),
        "personas": dict(sorted((personas or {}).items())),
    }
    return Registration(**content, digest=digest(content))


def deviations(
    registration: Registration,
    study: Mapping[str, Any],
    rubrics: Mapping[str, str],
    personas: Mapping[str, str] | None = None,
) -> tuple[Deviation, ...]:
    """Everything that differs from the promise, sorted by path; persona sets count once both sides have made them."""
    now = _frozen(view_of(study))
    found = list(_differences("", registration.blocks, now))
    found += _differences("rubrics", dict(registration.rubrics), dict(rubrics))
    made = personas or {}
    both = sorted(registration.personas.keys() & made.keys())
    before = {name: registration.personas[name] for name in both}
    found += _differences("personas made", before, {name: made[name] for name in both})
    return tuple(sorted(found, key=lambda one: one.path))


def registration_words(registration: Registration | None, found: Sequence[object] = ()) -> str:
    """One sentence for the report: as registered, with how many deviations, or not registered."""
    if registration is None:
        return "This study was not pre-registered."
    when = f"{registration.registered_at} ({registration.digest[:12]})"
    if not found:
        return f"Analysed as registered on {when}."
    return f"Registered on {when}; {len(found)} deviation{'s' if len(found) != 1 else ''}, listed below."


def write_registration(registration: Registration, path: Path) -> None:
    """Write the promise once. Raises StageError when the file is there already: a promise is not overwritten."""
    text = json.dumps(registration.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(f"{text}\n")
    except FileExistsError:
        raise StageError(f"{path} is there already: a registration is not overwritten; give another name") from None


def read_registration(path: Path) -> Registration:
    """The promise in a file. Raises StageError when it is no registration or was edited after it was made."""
    try:
        registration = Registration.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise StageError(f"{path}: not a registration: {error}") from None
    content = registration.model_dump(mode="json", exclude={"digest"})
    if digest(content) != registration.digest:
        raise StageError(f"{path} was edited after it was registered: its content does not match its digest")
    return registration


def _frozen(study: StudyView) -> Json:
    """The blocks of a study that a promise holds."""
    blocks = {name: study[name] for name in FROZEN if study.get(name) is not None}
    models = {
        name: {key: value for key, value in model.options.items() if key not in FREE_OF_MODELS}
        for name, model in study.models.items()
    }
    return _plain(blocks | ({"models": models} if models else {}))


def _plain(value: Any) -> Json:
    """The value as JSON has it: tuples as lists, mappings with string keys."""
    plain: Json = json.loads(canonical(value))
    return plain


def _differences(path: str, before: Any, after: Any) -> Iterator[Deviation]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            yield from _differences(f"{path}/{name}".lstrip("/"), before.get(name, ABSENT), after.get(name, ABSENT))
    elif before != after:
        yield Deviation(path=path, registered=_shown(before), now=_shown(after))


def _shown(value: Any) -> str:
    return value if value == ABSENT else canonical(value)
