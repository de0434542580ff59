"""What a JSON Schema error means, in words for people who write YAML."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cbtrun.contract.marks import expected_words

Schema = Mapping[str, Any]

TYPES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "keys and values",
    "null": "nothing",
}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the nearest known word, or nothing."""
    near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""


def known_words(known: Iterable[str]) -> str:
    """The known words as a list for a message; `none` when there are none."""
    return ", ".join(map(str, known)) or "none"


def got(value: Any) -> str:
    """A value as a message shows it: `the word 'ten'`, `3`, `a list`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the {'text' if ' ' in value or not value else 'word'} '{_short(value)}'"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    return (
        TYPES["array"]
        if isinstance(value, list)
        else TYPES["object"]
        if isinstance(value, dict)
        else _short(str(value))
    )


def wrong_type(types: str | Sequence[str], value: Any) -> str:
    """`expected a number, got the word 'ten'`."""
    wanted = [types] if isinstance(types, str) else list(types)
    text = f"expected {' or '.join(TYPES[name] for name in wanted)}, got {got(value)}"
    if "string" in wanted and isinstance(value, int | float):
        return f"{text} (for text, put it in quotes)"
    if wanted == ["integer"] and isinstance(value, float) and value.is_integer():
        return f"{text} (write {value:.0f})"
    return text


def in_words(keyword: str, limit: Any, value: Any, schema: Schema) -> str | None:
    """What is wrong with a value that breaks a keyword of its schema; None for a keyword that has no words here.

    A schema may say what it expects in its own words: `x-expected`.
    """
    if keyword != "type" and (expected := expected_words(schema)):
        return f"expected {expected}, got {got(value)}"
    words = WORDS.get(keyword)
    return words(limit, value) if words else None


def _enum(limit: Sequence[Any], value: Any) -> str:
    names = [item if isinstance(item, str) else got(item) for item in limit]
    near = did_you_mean(value, names) if isinstance(value, str) else ""
    return f"expected one of {known_words(names)}; got {got(value)}{near}"


def _count(limit: int, noun: str) -> str:
    return f"{limit} {noun}{'' if limit == 1 else 's'}"


def _short(text: str, length: int = 60) -> str:
    text = text.replace("\n", " ")
    return text if len(text) <= length else text[: length - 3] + "..."


WORDS: dict[str, Callable[[Any, Any], str]] = {
    "type": wrong_type,
    "enum": _enum,
    "const": lambda limit, value: f"expected {limit!r}, got {got(value)}",
    "minimum": lambda limit, value: f"expected at least {limit}, got {got(value)}",
    "maximum": lambda limit, value: f"expected at most {limit}, got {got(value)}",
    "exclusiveMinimum": lambda limit, value: f"expected more than {limit}, got {got(value)}",
    "exclusiveMaximum": lambda limit, value: f"expected less than {limit}, got {got(value)}",
    "multipleOf": lambda limit, value: f"expected a multiple of {limit}, got {got(value)}",
    "minLength": lambda limit, value: (
        "must not be empty" if limit == 1 else f"expected at least {_count(limit, 'character')}, got {got(value)}"
    ),
    "maxLength": lambda limit, value: f"expected at most {_count(limit, 'character')}, got {len(value)}",
    "pattern": lambda limit, value: f"expected text that matches {limit}, got {got(value)}",
    "minItems": lambda limit, value: f"expected at least {_count(limit, 'item')}, got {len(value)}",
    "maxItems": lambda limit, value: f"expected at most {_count(limit, 'item')}, got {len(value)}",
    "uniqueItems": lambda _, value: f"{got(_first_repeated(value))} stands twice in this list",
    "contains": lambda _, value: f"none of its {_count(len(value), 'item')} is of the kind that one must be",
    "minProperties": lambda limit, value: f"expected at least {_count(limit, 'key')}, got {len(value)}",
    "maxProperties": lambda limit, value: f"expected at most {_count(limit, 'key')}, got {len(value)}",
    "not": lambda _, value: f"{got(value)} is not allowed here",
}


def _first_repeated(values: Sequence[Any]) -> Any:
    return next((value for index, value in enumerate(values) if value in values[:index]), None)
