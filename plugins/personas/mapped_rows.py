"""Others' descriptions of people as personas: which column is which field of ours, and several columns as one text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cbtrun.plugin import Json

LISTS = ("symptoms", "automatic_thoughts", "intermediate_beliefs", "core_beliefs", "distortions", "strengths", "goals")
NUMBERS = ("age", "phq9")
WORDS = (
    *("name", "gender", "occupation", "living_situation", "presenting_problem", "history", "speech"),
    *("engagement_style", "disclosure_style", "risk"),
)
NAMES_OF_ID = ("idx", "index", "case_id", "client_id", "patient_id", "persona_id", "profile_id", "uuid")
"""What files of others call an id."""
_COLUMN: Json = {"type": "string", "minLength": 1}
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
            "description": "Column, or columns, that tell of the person: what the model that plays them is shown. Several "
            "are set below each other, each under its column's name.",
        },
        **{name: {**_COLUMN, "description": f"Column of `{name}`."} for name in (*WORDS, *NUMBERS, *LISTS)},
    },
    "description": "Field of ours -> the file's column, or a path in it (`persona.history`); what is not named is left "
    "out. `text` is enough for a patient that is a language model.",
}


def mapped_row(row: Mapping[str, Any], columns: Mapping[str, Any], number: int) -> tuple[dict[str, Any], list[str]]:
    """A row's persona with our keys, and what is wrong: columns that it lacks, a person without a text."""
    wanted = [path for one in columns.values() for path in ([one] if isinstance(one, str) else one)]
    missing = [f"no column '{path}'; it has: {', '.join(map(str, row))}" for path in wanted if not _holds(row, path)]
    if missing:
        return {}, missing
    found: dict[str, Any] = {"id": str(number)}
    for name, column in columns.items():
        value = _text(row, column) if name == "text" else _field(name, _at(row, column))
        if value not in (None, "", []):
            found[name] = value
    if "text" in columns and "text" not in found:
        return {}, ["the columns of `text` are empty: nothing tells of this person"]
    return found, []


def proposed_columns(row: Mapping[str, Any]) -> str:
    """The mapping that a row suggests, as YAML on one line: keys of our names are those, all others tell of the person."""
    own = {name: name for name in ("id", *WORDS, *NUMBERS, *LISTS) if name in row}
    if "id" not in own and (named := next((key for key in row if key.lower() in NAMES_OF_ID), "")):
        own = {"id": named, **own}
    rest = [key for key in row if key not in own.values()] or [*own.values()]
    return yaml_line({"columns": {**own, "text": rest}})


def yaml_line(value: Any) -> str:
    """Plain data as YAML in one line, as a user would write it."""
    import yaml

    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True).strip()[
        1:-1
    ]


def _text(row: Mapping[str, Any], columns: str | list[str]) -> str:
    if isinstance(columns, str):
        return "\n".join(_lines(_at(row, columns)))
    parts = [(column.rsplit(".", 1)[-1], "\n".join(_lines(_at(row, column)))) for column in columns]
    return "\n\n".join(f"{name.replace('_', ' ')}: {words}" for name, words in parts if words)


def _lines(value: Any, name: str = "") -> Iterator[str]:
    """A value in words: lists and objects of a file's become lines, never the look of a program's values."""
    before = f"{name}: " if name else ""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _lines(inner, f"{name} {key}".strip().replace("_", " "))
    elif isinstance(value, list | tuple):
        if all(isinstance(inner, str | int | float) for inner in value):
            yield f"{before}{'; '.join(str(inner).strip() for inner in value)}"
        else:
            for inner in value:
                yield from _lines(inner, name)
    elif not _is_blank(value):
        yield f"{before}{str(value).strip()}"


def _field(name: str, value: Any) -> Any:
    if _is_blank(value):
        return None
    if name in LISTS:
        return [str(inner) for inner in value] if isinstance(value, list) else [str(value).strip()]
    if name in NUMBERS:
        try:
            return int(float(str(value)))
        except (ValueError, OverflowError):
            return value  # the schema says what is wrong with it
    return "\n".join(_lines(value))


def _is_blank(value: Any) -> bool:
    return value is None or value != value or not str(value).strip()


def _holds(row: Mapping[str, Any], path: str) -> bool:
    return _at(row, path, default=_is_blank) is not _is_blank


def _at(row: Any, path: str, default: Any = None) -> Any:
    """What stands at a column, or at a path of keys in it."""
    if path in row:
        return row[path]
    for key in path.split("."):
        if not isinstance(row, Mapping) or key not in row:
            return default
        row = row[key]
    return row
