"""What was promised before the data: the study, its files and its code frozen by digest, and every deviation since."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from cbtrun.contract.digests import canonical, digest
from cbtrun.contract.records import Json, Record
from cbtrun.contract.stage_kinds import PLUGGED, is_named
from cbtrun.contract.study_view import StudyView, view_of
from cbtrun.errors import StageError
from cbtrun.files.plain_files import open_plain
from cbtrun.study.frozen import Frozen

REGISTRATION_FORMAT: Final = 2
FREE = ("cbtrun", "contains", "limits", "rehearsal", "report", "study")
"""Blocks that decide nothing that is found: what may be spent or sent, and what the report looks like (but its headline)."""
FREE_OF_MODELS = ("api_key_env", "limits", "prices", "timeout_seconds")
"""What of a model says how fast it answers and at what price, not which model it is and where."""
ABSENT = "(not there)"
MOST_BYTES = 20_000_000
"""Of a registration's file: it may come from a stranger."""
MOST_SHOWN = 300
"""Characters of a value in a sentence about it: a block that was left out can be long."""


class MadeDigests(Record):
    """SHA-256 of what was made: persona sets and corpora, by name."""

    personas: dict[str, str] = Field(default_factory=dict)
    corpus: dict[str, str] = Field(default_factory=dict)


class Registration(Record):
    """A promise: what will be compared, how, on what, by which code, and when that was written down."""

    format: Literal[2] = REGISTRATION_FORMAT
    study: str
    """Name of the study."""
    registered_at: str
    """Date and time with the offset from UTC, ISO 8601: this machine's own claim."""
    blocks: Json
    """The frozen blocks of the resolved study, as they stood."""
    order: dict[str, tuple[str, ...]]
    """Kind of block -> names in the order of the study: the first analysis may be the headline."""
    headline: str
    """Name of the analysis that the report opens with."""
    rubrics: dict[str, str]
    """Rubric -> SHA-256 of its content."""
    frozen: Frozen
    """Files, code and addresses."""
    made: MadeDigests = MadeDigests()
    """What could be made when it was registered."""
    digest: str
    """SHA-256 over everything above: shows later edits of this file."""

    @property
    def when(self) -> float:
        """Seconds since 1970."""
        return datetime.fromisoformat(self.registered_at).timestamp()


class Deviation(Record):
    """One thing that is not as it was registered."""

    path: str
    """Where: `analysis/main/levels/0`, `rubrics/ctrs`, `files/data.csv`, `code/cbtrun` ..."""
    registered: str
    """As it was promised."""
    now: str
    """As it is."""

    def __str__(self) -> str:
        """The deviation as a reader sees it."""
        return f"{self.path}: registered as {self.registered}, now {self.now}"


def register(
    study: Mapping[str, Any],
    rubrics: Mapping[str, str],
    when: datetime,
    made: MadeDigests | None = None,
    frozen: Frozen | None = None,
) -> Registration:
    """Freeze a resolved study. rubrics: name -> digest. Raises StageError without a time zone or an analysis."""
    if when.tzinfo is None:
        raise StageError("a registration's time needs a time zone")
    view = view_of(study)
    if not view.analyses:
        raise StageError("nothing to register: the study declares no analysis")
    content = {
        "format": REGISTRATION_FORMAT,
        "study": view.name,
        "registered_at": when.isoformat(timespec="seconds"),
        "blocks": _blocks(view),
        "order": _order(view),
        "headline": _headline(view),
        "rubrics": dict(sorted(rubrics.items())),
        "frozen": (frozen or Frozen()).model_dump(mode="json"),
        "made": (made or MadeDigests()).model_dump(mode="json"),
    }
    return Registration.model_validate({**content, "digest": digest(content)})


def deviations(
    registration: Registration,
    study: Mapping[str, Any],
    rubrics: Mapping[str, str],
    made: MadeDigests | None = None,
    frozen: Frozen | None = None,
) -> tuple[Deviation, ...]:
    """Everything that differs from the promise, sorted by path; personas and corpora count once both sides have them.

    A YAML file whose words are the same in other bytes is no deviation: see `reworded`.
    """
    view = view_of(study)
    now = Registration(
        study=view.name,
        registered_at="",
        blocks=_blocks(view),
        order=_order(view),
        headline=_headline(view),
        rubrics=dict(rubrics),
        frozen=frozen or Frozen(),
        made=made or MadeDigests(),
        digest="",
    )
    return differences(registration, now)


def differences(one: Registration, other: Registration) -> tuple[Deviation, ...]:
    """What another registration has that one has not, or otherwise, sorted by path."""
    found = [*_differences("", one.blocks, other.blocks), *_reordered(one.order, other.order)]
    if one.study != other.study:
        found.append(Deviation(path="study", registered=_shown(one.study), now=_shown(other.study)))
    if one.headline != other.headline:
        found.append(Deviation(path="report/headline", registered=_shown(one.headline), now=_shown(other.headline)))
    found += _differences("rubrics", dict(one.rubrics), dict(other.rubrics))
    for name in ("files", "code", "addresses"):
        found += _differences(name, dict(getattr(one.frozen, name)), dict(getattr(other.frozen, name)))
    for name, words in (("personas", "personas made"), ("corpus", "corpora made")):
        before, after = getattr(one.made, name), getattr(other.made, name)
        both = sorted(before.keys() & after.keys())
        found += _differences(words, {key: before[key] for key in both}, {key: after[key] for key in both})
    return tuple(sorted(found, key=lambda deviation: deviation.path))


def reworded(registration: Registration, frozen: Frozen) -> tuple[Deviation, ...]:
    """YAML files whose bytes are others. What they say is compared apart: a comment or the layout decides nothing."""
    return tuple(_differences("files", dict(registration.frozen.texts), dict(frozen.texts)))


def registration_words(registration: Registration | None, found: Sequence[object] = ()) -> str:
    """One sentence for the report: as registered, with how many deviations, or not registered."""
    if registration is None:
        return "This study was not pre-registered."
    when = f"{registration.registered_at} ({registration.digest[:12]})"
    if not found:
        return f"Analysed as registered on {when}."
    return f"Registered on {when}; {len(found)} deviation{'s' if len(found) != 1 else ''}, listed below."


def claim_words(registration: Registration, published: Sequence[str] = ()) -> str:
    """Whose word the time of a registration is: this machine's, until its digest lies where others can see since when."""
    if not published:
        return (
            "The time is this machine's own claim: nothing is known of the registration outside it. What would show it "
            f"is the digest {registration.digest} on a site such as OSF or AsPredicted, or in a signed git tag."
        )
    return (
        f"The digest of the registration, {registration.digest}, is said to lie at {' and at '.join(published)}: the time is "
        "what that place says, once somebody has compared the digest there with this one."
    )


def reworded_words(found: Sequence[Deviation]) -> tuple[str, ...]:
    """A sentence about YAML files in other bytes; none where there is no such file."""
    if not found:
        return ()
    files = "; ".join(map(str, found))
    return (
        "Other bytes than when it was registered, which is no deviation by itself (comments, layout, what the report "
        f"shows; what is said otherwise is listed as a deviation): {files}.",
    )


def write_registration(registration: Registration, path: Path) -> None:
    """Write the promise once. Raises StageError when the file is there already: a promise is not overwritten."""
    text = json.dumps(registration.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(f"{text}\n")
    except FileExistsError:
        raise StageError(f"{path} is there already: a registration is not overwritten; give another name") from None


def read_registration(path: Path) -> Registration:
    """The promise in a plain file. Raises StageError when it is no registration or was edited after it was made."""
    with os.fdopen(open_plain(path, os.O_RDONLY, shared=True), "rb") as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise StageError(f"{path}: not a registration: it is longer than {MOST_BYTES // 1_000_000} MB")
    try:
        registration = Registration.model_validate_json(text)
    except ValidationError as error:
        if any(one["loc"] == ("format",) for one in error.errors()):
            raise StageError(
                f"{path}: was registered by another version of cbtrun, which froze other things; take it away and "
                "register again"
            ) from None
        raise StageError(f"{path}: not a registration: {error}") from None
    if digest(registration.model_dump(mode="json", exclude={"digest"})) != registration.digest:
        raise StageError(f"{path} was edited after it was registered: its content does not match its digest")
    return registration


def _blocks(study: StudyView) -> Json:
    """The blocks of a study that a promise holds: all but those that decide nothing."""
    blocks = {name: block for name, block in study.items() if name not in FREE and block not in (None, {}, [])}
    models = {
        name: {key: value for key, value in model.options.items() if key not in FREE_OF_MODELS}
        for name, model in study.models.items()
    }
    return _plain(blocks | ({"models": models} if models else {}))


def _order(study: StudyView) -> dict[str, tuple[str, ...]]:
    """Names of the blocks of each kind, as the study has them one after the other."""
    kinds = [kind for kind in ("arms", *PLUGGED) if is_named(kind) and study.get(kind)]
    return {kind: tuple(map(str, study[kind])) for kind in sorted(kinds)}


def _headline(study: StudyView) -> str:
    """The analysis that the report opens with: the one that it names, else the first."""
    named = study.report.options.get("headline") if study.report.using else ""
    return str(named) if named else next(iter(study.analyses), "")


def _reordered(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> Iterator[Deviation]:
    """Kinds whose blocks stand in another order; those that only one side has are told of by themselves."""
    for kind in sorted(before.keys() & after.keys()):
        first = [name for name in before[kind] if name in after[kind]]
        then = [name for name in after[kind] if name in before[kind]]
        if first != then:
            yield Deviation(path=f"order of {kind}", registered=", ".join(first), now=", ".join(then))


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
    words = value if value == ABSENT else canonical(value)
    return words if len(words) <= MOST_SHOWN else f"{words[:MOST_SHOWN]}…"
