"""Personas from a file: a table (CSV, JSON, Parquet ...), a YAML list or texts, by a mapping or with the schema's keys.

`id` and `text` are enough; a persona without a text has every structured field. See schemas/persona.schema.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from cbtrun.plugin import (
    AS_FOUND,
    FullPersona,
    Json,
    Persona,
    Place,
    PlaceOf,
    Problem,
    SpecError,
    Writing,
    content_digest,
    has_files,
    read_table,
    read_yaml,
    schema_problems,
)
from cbtrun.plugins.personas.mapped_rows import COLUMNS, LABELS, mapped_row, row_labels, typed_cells
from cbtrun.plugins.personas.person_files import WRITING, is_vignette, vignettes, writing_of
from cbtrun.plugins.personas.proposed import not_told, proposed_columns

SEPARATED = re.compile(r"\.(?:csv|tsv|tab)(?:\.gz)?$", re.IGNORECASE)
"""Files whose cells are all texts."""
PERSONA_OPTIONS: Json = {
    "type": "object",
    "required": ["path"],
    "additionalProperties": False,
    "properties": {
        "path": {
            "type": "string",
            "x-names": ["shipped", "file", "folder", "files"],
            "examples": ["eval-120"],
            "description": "The name of a shipped set (eval-120: frozen evaluation personas), or a file of your own: .csv, "
            ".tsv, .json, .jsonl or .parquet with one person a row, a YAML list, or a folder or pattern of such files or of "
            "texts (.txt, .md) with one vignette each, whose name is the id.",
        },
        **WRITING,
        "columns": COLUMNS,
        "labels": LABELS,
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
    found = next((path for path in (own, shipped) if path.is_file()), None)
    return found or (own if own.is_dir() or has_files(own) else None)


def personas_of(options: Mapping[str, Any], folder: Path) -> list[Persona]:
    """The personas that a block of `using: files` means. Raises SpecError with every problem: place, and what is allowed."""
    path = persona_path(options["path"], folder)
    if path is None:
        raise SpecError.at(folder / options["path"], "no such file, and no shipped set")
    found = read_personas(path, options.get("columns"), options.get("labels"), writing_of(options))
    return found[: options.get("first")]


def read_personas(
    path: Path,
    columns: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    writing: Writing = AS_FOUND,
) -> list[Persona]:
    """The personas of a file, in its order. Raises SpecError with every problem: place, and what is allowed.

    columns: field of ours -> column or columns of the file; without it, the file has our own keys. labels: label -> column.
    """
    problems: list[Problem] = []
    personas: list[Persona] = []
    ids: set[str] = set()
    contents: dict[str, str] = {}  # digest of all but the id -> id of the first who has it
    for number, (row, place_of) in enumerate(_entries(path, writing), 1):
        value, wrong = _in_our_keys(row, columns, labels, number)
        problems += [Problem(place_of(), "", what) for what in wrong]
        if wrong:
            continue
        persona = _persona(value)
        found = [] if persona else _problems(value, place_of)
        if found and number == 1 and not columns and _is_of_others(value):
            raise SpecError(found)  # the other rows are in the same keys
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


def _in_our_keys(
    row: Any, columns: Mapping[str, Any] | None, labels: Mapping[str, str] | None, number: int
) -> tuple[Any, list[str]]:
    """A row as a persona's keys have it, and what of the mapping does not fit."""
    if not isinstance(row, Mapping) or not (columns or labels):
        return row, []
    value, wrong = mapped_row(row, columns, number) if columns else (dict(row), [])
    if labels:
        levels, missing = row_labels(row, labels)
        value, wrong = {**value, "labels": levels}, [*wrong, *missing]
    return value, wrong


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
    if _is_of_others(value):
        apart = f" (without {', '.join(unasked)}: no patient knows that)" if (unasked := not_told(value)) else ""
        proposed = proposed_columns(value)
        advice = f". This file may be read by `{proposed}` beside `path`{apart}" if proposed else ""
        empty = "its `text` is empty, or no text; " if "text" in value else ""
        what = (
            f"{empty}a persona needs `id` and `text` (who they are, in free words), or every structured field{advice}"
        )
        return [Problem(place_of(), "", what)]
    return schema_problems(value, _schema(_kind(value)), place_of)


def _is_of_others(value: Any) -> bool:
    """Whether a row is in others' keys: it has neither a text nor most of what ours have."""
    needed = [name for name, field in FullPersona.model_fields.items() if field.is_required()]
    if not isinstance(value, Mapping) or _has_text(value):
        return False
    return sum(name not in value for name in needed if name != "id") > len(needed) // 2


def _entries(path: Path, writing: Writing) -> Iterator[tuple[Any, PlaceOf]]:
    """Each persona as plain data, with where its parts stand."""
    if is_vignette(path):
        for file, words in vignettes(path, writing.encoding):
            yield words, lambda *_, file=file, **__: Place(str(file))
        return
    if path.suffix in (".yaml", ".yml"):
        source = read_yaml(path, top=list)
        for index, value in enumerate(source.value):
            yield value, lambda *steps, index=index, **named: source.place(index, *steps, **named)
        return
    for row in read_table(path, writing).rows:
        place = Place(row.file or str(path), row.line)
        cells = typed_cells(row.cells) if SEPARATED.search(row.file or path.name) else dict(row.cells)
        yield cells, lambda *_, place=place, **__: place


def _twice(persona: Persona, ids: set[str], contents: dict[str, str]) -> Iterator[str]:
    """What a persona shares with an earlier one that it must not; it is one of the earlier ones from then on."""
    if not persona.id.strip():
        yield "id: is blank"
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
