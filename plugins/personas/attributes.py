"""Attribute files: what personas may be made of, with weights and constraints, and the life themes beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from cbtrun.plugin import Located, Problem, SpecError, file_digest, read_yaml, schema_problems
from cbtrun.plugins.wording.phrasing import parse

Weights = Mapping[str, float]


class Part(BaseModel):
    """A frozen part of an attributes file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Option(Part):
    """Something to choose, with the constraints under which it may be chosen."""

    value: str
    weight: float = 1
    ages: tuple[int, int] = (0, 999)
    """Years, both ends included."""
    needs: tuple[str, ...] = ()
    """Tags of the living situation, one of which must be there."""
    has: tuple[str, ...] = ()
    """Tags that a living situation gives."""
    styles: tuple[str, ...] = ()
    """Engagement styles that a way of talking fits; empty for all."""
    group: str = ""
    """Of the options of one group, a persona gets at most one."""


class Episode(Part):
    """Templates of one situation."""

    event: str
    thought: str
    feeling: str
    behaviour: str
    needs: tuple[str, ...] = ()


class Severity(Part):
    """A band of the PHQ-9 and how many symptoms go with it."""

    weight: float
    phq9: tuple[int, int]
    symptoms: int


class Theme(Part):
    """What a life is about: everything here fits together."""

    theme: str
    ages: tuple[int, int]
    living: tuple[str, ...]
    """Tags, one of which the living situation must have."""
    occupations: tuple[Option, ...]
    presenting: tuple[Option, ...]
    situations: tuple[Episode, ...]
    intermediate: tuple[Option, ...]
    core: tuple[Option, ...]
    history: tuple[Option, ...]
    strengths: tuple[Option, ...]
    goals: tuple[Option, ...]


class People(Part):
    """Names and kin to fill the slots with."""

    friend: tuple[str, ...]
    boss: tuple[str, ...]
    partner: Mapping[str, Weights]
    """By the persona's gender."""
    child: tuple[str, ...]
    sibling: tuple[str, ...]


class Attributes(Part):
    """Everything that personas are drawn from."""

    attributes: str
    themes: Weights
    stories: Mapping[str, Theme]
    gender: Weights
    severity: Mapping[str, Severity]
    risk: Weights
    engagement_style: Weights
    disclosure_style: Mapping[str, Weights]
    speech: tuple[Option, ...]
    living: tuple[Option, ...]
    names: Mapping[str, tuple[str, ...]]
    people: People
    symptoms: tuple[Option, ...]
    strengths: tuple[Option, ...]
    goals: tuple[Option, ...]


def shipped_attributes() -> list[str]:
    """Names of the attribute files that come with cbtrun."""
    return sorted(path.stem for path in _shipped_folder().glob("*.yaml"))


def attribute_files() -> list[Path]:
    """Every shipped file that personas are drawn from."""
    return sorted(_shipped_folder().rglob("*.yaml"))


def attributes_path(name: str, folder: Path) -> Path | None:
    """The file of a shipped name, or of a path (relative to `folder`); none when there is no such file."""
    path = folder / name if name.endswith((".yaml", ".yml")) else _shipped_folder() / f"{name}.yaml"
    return path if path.is_file() else None


def read_attributes(path: Path) -> Attributes:
    """An attributes file with its themes. Raises SpecError with every problem found."""
    return _read(path, (file_digest(path), *map(file_digest, sorted((path.parent / "themes").glob("*.yaml")))))


@lru_cache(maxsize=8)
def _read(path: Path, digests: tuple[str, ...]) -> Attributes:  # what is changed in a notebook's lifetime is read anew
    source = read_yaml(path)
    problems = schema_problems(source.value, _schema("attributes"), source.place)
    problems += _template_problems(source)
    if problems:
        raise SpecError(problems)
    stories = {name: read_theme(_theme_path(path, source, name)) for name in source.value["themes"]}
    return Attributes.model_validate(_with_options(source.value) | {"stories": stories})


def read_theme(path: Path) -> Theme:
    """One theme. Raises SpecError."""
    source = read_yaml(path)
    problems = schema_problems(source.value, _schema("theme"), source.place) + _template_problems(source)
    if problems:
        raise SpecError(problems)
    return Theme.model_validate(_with_options(source.value))


def _theme_path(path: Path, source: Located, name: str) -> Path:
    """A theme beside the attributes file goes before a shipped one."""
    for folder in (path.parent / "themes", _shipped_folder() / "themes"):
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = ", ".join(sorted(file.stem for file in (_shipped_folder() / "themes").glob("*.yaml")))
    place = source.place("themes", name, key=True)
    raise SpecError([Problem(place, "themes", f"no theme '{name}' in themes/ beside the file; shipped: {known}")])


def _template_problems(source: Located) -> list[Problem]:
    """Texts that cannot be read, or that nobody could ever say: a slot that no persona fills would leave them out in silence."""
    found: list[Problem] = []

    def look(value: Any, path: tuple[str | int, ...]) -> None:
        if isinstance(value, str):
            try:
                parse(value)
            except ValueError as error:
                found.append(Problem(source.place(*path), "/".join(map(str, path)), str(error)))
            if unknown := [name for name in re.findall(r"\{(\w+)\}", value) if name not in People.model_fields]:
                what = f"no slot {{{unknown[0]}}}; known: {', '.join(f'{{{name}}}' for name in People.model_fields)}"
                found.append(Problem(source.place(*path), "/".join(map(str, path)), what))
        elif isinstance(value, dict):
            for key, inner in value.items():
                look(inner, (*path, key))
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                look(inner, (*path, index))

    look(source.value, ())
    return found


_OPTION_LISTS = ("living", "speech", "symptoms", "strengths", "goals", "occupations", "presenting", "intermediate",
                 "core", "history")  # fmt: skip


def _with_options(value: Mapping[str, Any]) -> dict[str, Any]:
    """The file's content with plain words in lists of options written out as options."""
    full = dict(value)
    for name in _OPTION_LISTS:
        if name in full and not (name == "living" and "theme" in full):
            full[name] = [_option(one) for one in full[name]]
    return full


def _option(one: str | Mapping[str, Any]) -> Mapping[str, Any]:
    return (
        {"value": one} if isinstance(one, str) else {("styles" if key == "for" else key): x for key, x in one.items()}
    )


def _shipped_folder() -> Path:
    return cast(Path, files("cbtrun.specs")) / "personas"


@lru_cache(maxsize=4)
def _schema(name: str) -> Mapping[str, Any]:
    text = (files("cbtrun.schemas") / f"{name}.schema.json").read_text(encoding="utf-8")
    return cast(Mapping[str, Any], json.loads(text))
