"""Others' descriptions of people as personas: which column is which field of ours, and several columns as one text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from cbtrun.plugin import CbtrunError, Json, filled, static_faults, used_variables

LISTS = ("symptoms", "automatic_thoughts", "intermediate_beliefs", "core_beliefs", "distortions", "strengths", "goals")
NUMBERS = ("age", "phq9")
KINDS = ("engagement_style", "disclosure_style", "risk")
"""Fields with a few levels, which a file of others calls otherwise."""
WORDS = ("name", "gender", "occupation", "living_situation", "presenting_problem", "history", "speech")
_COLUMN: Json = {"type": "string", "minLength": 1}
_OF_FIELD: Json = {
    "anyOf": [
        _COLUMN,
        {
            "type": "object",
            "required": ["column", "values"],
            "additionalProperties": False,
            "properties": {
                "column": {**_COLUMN, "description": "The file's column, or a path in it."},
                "values": {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": {"type": ["string", "number", "null"]},
                    "description": "The file's word -> ours; null for what is not known.",
                },
            },
        },
    ]
}
COLUMNS: Json = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": False,
    "properties": {
        "id": {
            **_COLUMN,
            "description": "Column with a name of its own for each person; without it, the row's number.",
        },
        "text": {
            "anyOf": [_COLUMN, {"type": "array", "items": _COLUMN, "minItems": 1, "uniqueItems": True}],
            "x-words": False,
            "description": "Column, or columns, that tell of the person: what the model that plays them is shown. Several "
            "are set below each other, each under its column's name. A text with `{{ column }}` is a template of columns; "
            "`{{ row['Column with spaces'] }}` names any.",
        },
        **{
            name: {**_OF_FIELD, "description": f"Column of `{name}`, or `{{column, values: {{theirs: ours}}}}`."}
            for name in (*WORDS, *NUMBERS, *LISTS, *KINDS)
        },
    },
    "description": "Field of ours -> the file's column, or a path in it (`persona.history`); what is not named is left "
    "out. `text` is enough for a patient that is a language model.",
}
LABELS: Json = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,39}$"},
    "additionalProperties": _COLUMN,
    "description": "Label -> the file's column, or a path in it: what analyses and the report group by "
    "(`by: persona.diagnosis`), for problems of any kind. The model that plays the person is not told.",
}


def mapped_row(row: Mapping[str, Any], columns: Mapping[str, Any], number: int) -> tuple[dict[str, Any], list[str]]:
    """A row's persona with our keys, and what is wrong: columns that it lacks, a person without a text."""
    missing = [
        f"no column '{path}'; it has: {', '.join(map(str, row))}" for path in _named(columns) if not holds(row, path)
    ]
    if missing:
        return {}, missing
    found: dict[str, Any] = {"id": str(number)}
    wrong = []
    for name, column in columns.items():
        try:
            value = _text(row, column) if name == "text" else _field(name, *_theirs(name, row, column))
        except (CbtrunError, _NoLevelError) as error:
            wrong.append(f"{name}: {error}")
            continue
        if value not in (None, "", []):
            found[name] = value
    if "text" in columns and "text" not in found and not wrong:
        return {}, ["the columns of `text` are empty: nothing tells of this person"]
    return found, wrong


def typed_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose cells are all texts, in the types of our fields; what is blank is absent, other columns are as they are."""
    own = {*LISTS, *NUMBERS, *WORDS, *KINDS}
    typed = {name: _field(name, cell, ours=True) if name in own else cell for name, cell in row.items()}
    return {name: cell for name, cell in typed.items() if name not in (*own, "labels") or not is_blank(cell)}


def row_labels(row: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Label -> level of a row, blank ones left out, and the columns that it lacks."""
    missing = [
        f"labels/{name}: no column '{path}'; it has: {', '.join(map(str, row))}"
        for name, path in labels.items()
        if not holds(row, path)
    ]
    levels = {name: "\n".join(lines_of(at(row, path))) for name, path in labels.items()}
    return {name: level for name, level in levels.items() if level}, missing


def lines_of(value: Any, name: str = "") -> Iterator[str]:
    """A value in words: lists and objects of a file's become lines, never the look of a program's values."""
    before = f"{name}: " if name else ""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from lines_of(inner, f"{name} {key}".strip().replace("_", " "))
    elif isinstance(value, list | tuple):
        if all(isinstance(inner, str | int | float) for inner in value):
            told = [str(inner).strip() for inner in value if not is_blank(inner)]
            yield from [f"{before}{'; '.join(told)}"] if told else []
        else:
            for inner in value:
                yield from lines_of(inner, name)
    elif not is_blank(value):
        yield f"{before}{str(value).strip()}"


def is_blank(value: Any) -> bool:
    """Whether a cell says nothing: null, NaN, white space."""
    return value is None or value != value or not str(value).strip()


def holds(row: Mapping[str, Any], path: str) -> bool:
    """Whether a row has a column, or a path of keys."""
    return at(row, path, default=is_blank) is not is_blank


def at(row: Any, path: str, default: Any = None) -> Any:
    """What stands at a column, or at a path of keys in it."""
    if path in row:
        return row[path]
    for key in path.split("."):
        if not isinstance(row, Mapping) or key not in row:
            return default
        row = row[key]
    return row


class _NoLevelError(ValueError):
    """A cell holds a word that `values` does not have."""


def is_template(text: object) -> TypeGuard[str]:
    """Whether a `text` is filled in with columns, rather than named after one."""
    return isinstance(text, str) and ("{{" in text or "{%" in text)


def text_template_faults(options: Mapping[str, Any]) -> list[str]:
    """What no row could fill in: syntax, and all that a template may not hold. Names of columns are the rows' to tell."""
    text = (options.get("columns") or {}).get("text")
    if not is_template(text):
        return []
    try:
        names = {*used_variables(text), "row"}
    except CbtrunError as error:
        return [str(error)]
    return static_faults(text, frozenset(names))


def _named(columns: Mapping[str, Any]) -> Iterator[str]:
    """Every column that a mapping names; a template's are found when it is filled in."""
    for column in columns.values():
        if isinstance(column, Mapping):
            yield column["column"]
        elif not is_template(column):
            yield from [column] if isinstance(column, str) else column


def _theirs(name: str, row: Mapping[str, Any], column: str | Mapping[str, Any]) -> tuple[Any, bool]:
    """A cell, in our words where the mapping says which; and whether it is a level of ours already."""
    if isinstance(column, str):
        return at(row, column), False
    value, values = at(row, column["column"]), {str(key): ours for key, ours in column["values"].items()}
    word = "" if is_blank(value) else "\n".join(lines_of(value))
    if word and word not in values:
        raise _NoLevelError(f"'{word[:40]}' is none of its `values`: {', '.join(values)}")
    return values.get(word), True


def _text(row: Mapping[str, Any], columns: str | list[str]) -> str:
    if is_template(columns):
        plain = {str(name): _plain(value) for name, value in row.items()}
        own = {name: value for name, value in plain.items() if re.fullmatch(r"[A-Za-z_]\w*", name) and name != "row"}
        return filled(str(columns), {**own, "row": plain})
    if isinstance(columns, str):
        return "\n".join(lines_of(at(row, columns)))
    parts = [(column.rsplit(".", 1)[-1], "\n".join(lines_of(at(row, column)))) for column in columns]
    return "\n\n".join(f"{name.replace('_', ' ')}: {words}" for name, words in parts if words)


def _plain(value: Any) -> Any:
    """A cell as a template may see it: what is unknown is an empty text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if is_blank(value):
        return ""
    return value if isinstance(value, str | int | float | bool) else str(value)


def _field(name: str, value: Any, ours: bool = False) -> Any:
    if is_blank(value):
        return None
    if name in LISTS:
        return [line for inner in (value if isinstance(value, list) else [value]) for line in lines_of(inner)]
    if name in NUMBERS:
        try:
            number = float(str(value))
            return int(number) if number.is_integer() else value
        except (ValueError, OverflowError):
            return value  # the schema says what is wrong with it
    words = "\n".join(lines_of(value))
    return words if ours or name not in KINDS else words.strip().lower().replace(" ", "-")
