"""A practice: a way of doing therapy as one YAML file, for those who write, speak and hear without a language model.

An author model is told its `instruction`; the grammar writes sessions from its `techniques` and `therapist` wordings; the
scripted patient hears with its `ear` and answers with its `patient` wordings. Shipped ones stand in specs/practices/.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import Field

from cbtrun.plugin import Located, Problem, Record, SpecError, check_pattern, file_digest, read_yaml, schema_problems
from cbtrun.plugins.personas.material import PATIENT_WORDS
from cbtrun.plugins.practices.named import practice_path, shipped_practices
from cbtrun.plugins.wording.phrasing import parse, read_rules

Wordings = Mapping[str, tuple[str, ...]]
"""Rule -> templates."""


class Technique(Record):
    """What the word of a course plan stands for."""

    topic: tuple[str, ...]
    """How it is called; one is drawn."""
    steps: tuple[tuple[str, str], ...]
    """(rule of the therapist, kind of answer of the patient)."""
    homework: tuple[str, ...] = ()
    """What may be agreed until next time."""


class Practice(Record):
    """One way of working."""

    practice: str
    title: str
    instruction: str
    opening: tuple[tuple[str, str], ...]
    """Steps that a first session begins with."""
    later: tuple[tuple[str, str], ...] = ()
    """Steps that later sessions begin with; those of a first one if there are none."""
    closing: tuple[tuple[str, str], ...]
    techniques: dict[str, Technique]
    therapist: dict[str, tuple[str, ...]]
    patient: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    ear: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    needs_trust: dict[str, float] = Field(default_factory=dict)
    """Kind of question -> trust, 0 to 1, without which the patient evades it."""
    digest: str
    """SHA-256 of the file."""

    @property
    def patient_words(self) -> Wordings:
        """The shipped patient's wordings, with this practice's own for what it says otherwise."""
        return {**read_rules(PATIENT_WORDS), **self.patient}


def named_practice(name: str) -> Practice:
    """The practice of a shipped name or a path. Raises SpecError."""
    path = practice_path(name)
    if path is None:
        raise SpecError.at(name, f"no practice '{name}'; shipped: {', '.join(shipped_practices())}")
    return read_practice(path)


def read_practice(path: Path) -> Practice:
    """A practice. Raises SpecError with every problem found."""
    return _read(path, file_digest(path))


@cache
def _read(path: Path, digest: str) -> Practice:
    source = read_yaml(path)
    schema = json.loads((files("cbtrun.schemas") / "practice.schema.json").read_text(encoding="utf-8"))
    problems = schema_problems(source.value, schema, source.place) or list(_cross_problems(source))
    if problems:
        raise SpecError(problems)
    return Practice.model_validate({**source.value, "digest": digest})


def _cross_problems(source: Located) -> Iterator[Problem]:
    """Wordings and patterns that cannot be read, and steps that nobody has words for."""
    value = source.value
    for part in ("therapist", "patient"):
        for rule, templates in (value.get(part) or {}).items():
            yield from _bad(source, parse, (part, rule), templates)
    for kind, patterns in (value.get("ear") or {}).items():
        yield from _bad(source, check_pattern, ("ear", kind), patterns)
    answers = {*read_rules(PATIENT_WORDS), *(value.get("patient") or {})}
    for path, step in _steps(value):
        for place, known, who in ((0, set(value["therapist"]), "therapist"), (1, answers, "patient")):
            if step[place] not in known:
                what = f"the {who} has no wordings '{step[place]}'; write them under {who}:"
                yield Problem(source.place(*path, place), "/".join(map(str, path)), what)
    for kind in value.get("ear") or {}:
        if kind not in answers:
            what = f"the patient has no wordings '{kind}' to answer with; write them under patient:"
            yield Problem(source.place("ear", kind, key=True), f"ear/{kind}", what)


def _bad(source: Located, read: Any, path: tuple[str, str], texts: list[str]) -> Iterator[Problem]:
    for number, text in enumerate(texts):
        try:
            read(text)
        except ValueError as error:
            yield Problem(source.place(*path, number), "/".join(path), str(error))


def _steps(value: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], list[str]]]:
    for part in ("opening", "later", "closing"):
        yield from (((part, number), step) for number, step in enumerate(value.get(part) or ()))
    for name, technique in value["techniques"].items():
        yield from ((("techniques", name, "steps", number), step) for number, step in enumerate(technique["steps"]))
