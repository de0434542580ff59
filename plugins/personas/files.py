"""Personas from a file: a table (CSV, JSON lines, Parquet) or a YAML list, by a mapping or with the keys of the schema.

`id` and `text` are enough; a persona without a text has every structured field. See schemas/persona.schema.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from cbtrun.plugin import (
    FullPersona,
    Json,
    Persona,
    Place,
    PlaceOf,
    Problem,
    SpecError,
    content_digest,
    read_table,
    read_yaml,
    schema_problems,
)
from cbtrun.plugins.personas.mapped_rows import COLUMNS, mapped_row, proposed_columns

PERSONA_OPTIONS: Json = {
    "type": "object",
    "required": ["path"],
    "additionalProperties": False,
    "properties": {
        "path": {
            "type": "string",
            "x-names": ["shipped", "file"],
            "description": "The name of a shipped set (eval-120: frozen evaluation personas), or a file of your own: .csv, "
            ".jsonl or .parquet with one person a row, or a YAML list.",
        },
        "columns": COLUMNS,
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


def read_personas(path: Path, columns: Mapping[str, Any] | None = None) -> list[Persona]:
    """The personas of a file, in its order. Raises SpecError with every problem: place, and what is allowed.

    columns: field of ours -> column or columns of the file; without it, the file has our own keys.
    """
    problems: list[Problem] = []
    personas: list[Persona] = []
    ids: set[str] = set()
    contents: dict[str, str] = {}  # digest of all but the id -> id of the first who has it
    for number, (value, place_of) in enumerate(_entries(path), 1):
        if columns and isinstance(value, Mapping):
            value, missing = mapped_row(value, columns, number)
            problems += [Problem(place_of(), "", what) for what in missing]
            if missing:
                continue
        persona = _persona(value)
        found = [] if persona else _problems(value, place_of)
        problems += found
        if not found:
            persona = persona or _kind(value).model_validate(value)  # a lone surrogate: text that JSON refuses
            problems += [Problem(place_of(), "", what) for what in _twice(persona, ids, contents)]
            personas.append(persona)
    if not problems and not personas:
        raise SpecError.at(path, "holds no personas")
    if problems:
        raise SpecError(problems)
    return personas


def _has_text(value: Any) -> bool:
    """Whether free words tell of the persona, so that structured fields are not needed."""
    return isinstance(value, Mapping) and isinstance(value.get("text"), str) and bool(value["text"].strip())


def _kind(value: Any) -> type[Persona]:
    """The record that a value has to be."""
    return Persona if _has_text(value) else FullPersona


def _persona(value: Any) -> Persona | None:
    """The persona that a value is; none where the record has something against it.

    The record reads a hundred times as fast as its schema, whose part is to say what is wrong and where.
    """
    try:
        if _has_text(value):
            return Persona.model_validate_json(json.dumps(value), strict=True)
        return Persona.model_validate(FullPersona.model_validate_json(json.dumps(value), strict=True).model_dump())
    except (ValidationError, ValueError):
        return None


def _problems(value: Any, place_of: PlaceOf) -> Sequence[Problem]:
    """What is wrong with a value that is no persona."""
    needed = [name for name, field in FullPersona.model_fields.items() if field.is_required()]
    if isinstance(value, Mapping) and not _has_text(value):
        missing = [name for name in needed if name not in value and name != "id"]
        if len(missing) > len(needed) // 2:
            what = (
                "a persona needs `id` and `text` (who they are, in free words), or every structured field. This one may "
                f"be given by `{proposed_columns(value)}` beside `path`"
            )
            return [Problem(place_of(), "", what)]
    return schema_problems(value, _schema(_kind(value)), place_of)


def _entries(path: Path) -> Iterator[tuple[Any, PlaceOf]]:
    """Each persona as plain data, with where its parts stand."""
    if path.suffix in (".yaml", ".yml"):
        source = read_yaml(path, top=list)
        for index, value in enumerate(source.value):
            yield value, lambda *steps, index=index, **named: source.place(index, *steps, **named)
        return
    for row in read_table(path).rows:
        place = Place(str(path), row.line)
        yield dict(row.cells), lambda *_, place=place, **__: place


def _twice(persona: Persona, ids: set[str], contents: dict[str, str]) -> Iterator[str]:
    """What a persona shares with an earlier one that it must not; it is one of the earlier ones from then on."""
    if persona.id in ids:
        yield f"a second persona with id '{persona.id}'"
    ids.add(persona.id)
    same = contents.setdefault(content_digest(persona), persona.id)
    if same != persona.id:
        yield f"'{persona.id}' is the same as '{same}' but for the id"


@lru_cache(maxsize=2)
def _schema(kind: type[Persona]) -> Json:
    from cbtrun.plugin import record_schema

    return record_schema(kind)
