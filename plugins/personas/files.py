"""Personas from a file: JSON lines, or a YAML list, each as schemas/persona.schema.json says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from cbtrun.plugin import Json, Persona, Place, PlaceOf, Problem, SpecError, content_digest, read_yaml, schema_problems

PERSONA_OPTIONS: Json = {
    "type": "object",
    "required": ["path"],
    "additionalProperties": False,
    "properties": {
        "path": {
            "type": "string",
            "x-names": ["shipped", "file"],
            "description": "The name of a shipped set (eval-120: frozen evaluation personas), or a file of your own: .jsonl, or "
            "a YAML list.",
        },
        "first": {
            "type": "integer",
            "minimum": 1,
            "x-rehearsal": {"most": 6, "always": True},
            "description": "How many, from the top; without it, all.",
        },
    },
}


def persona_path(name: str, folder: Path) -> Path | None:
    """The file of a shipped set, or of a path relative to `folder`; none when there is none."""
    own = folder / name
    shipped = cast(Path, files("cbtrun.specs")) / "personas" / f"{name}.jsonl"
    return next((path for path in (own, shipped) if path.is_file()), None)


def read_personas(path: Path) -> list[Persona]:
    """The personas of a file, in its order. Raises SpecError with every problem: place, and what is allowed."""
    problems: list[Problem] = []
    personas: list[Persona] = []
    ids: set[str] = set()
    contents: dict[str, str] = {}  # digest of all but the id -> id of the first who has it
    for value, place_of in _entries(path):
        persona = _persona(value)
        found = [] if persona else schema_problems(value, _schema(), place_of)
        problems += found
        if not found:
            persona = persona or Persona.model_validate(value)  # a lone surrogate: text that JSON refuses
            problems += [Problem(place_of(), "", what) for what in _twice(persona, ids, contents)]
            personas.append(persona)
    if not problems and not personas:
        raise SpecError.at(path, "holds no personas")
    if problems:
        raise SpecError(problems)
    return personas


def _persona(value: Any) -> Persona | None:
    """The persona that a value is; none where its schema, which was made from the record, has something against it.

    The record reads a hundred times as fast as the schema, whose part is to say what is wrong and where.
    """
    try:
        return Persona.model_validate_json(json.dumps(value), strict=True)
    except ValidationError:
        return None


def _entries(path: Path) -> Iterator[tuple[Any, PlaceOf]]:
    """Each persona as plain data, with where its parts stand."""
    if path.suffix in (".yaml", ".yml"):
        source = read_yaml(path, top=list)
        for index, value in enumerate(source.value):
            yield value, lambda *steps, index=index, **named: source.place(index, *steps, **named)
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            place = Place(str(path), number)
            try:
                yield json.loads(line), lambda *_, place=place, **__: place
            except ValueError as error:
                raise SpecError.at(path, f"not JSON: {error}", line=number) from None


def _twice(persona: Persona, ids: set[str], contents: dict[str, str]) -> Iterator[str]:
    """What a persona shares with an earlier one that it must not; it is one of the earlier ones from then on."""
    if persona.id in ids:
        yield f"a second persona with id '{persona.id}'"
    ids.add(persona.id)
    same = contents.setdefault(content_digest(persona), persona.id)
    if same != persona.id:
        yield f"'{persona.id}' is the same as '{same}' but for the id"


@lru_cache(maxsize=1)
def _schema() -> Json:
    text = (files("cbtrun.schemas") / "persona.schema.json").read_text(encoding="utf-8")
    return cast(Json, json.loads(text))
