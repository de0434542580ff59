"""What somebody said, out of a cell or a message: text, or text in content parts; anything else is no text and says what it is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from cbtrun.plugin import without_thinking

TEXT_PARTS = ("text", "input_text", "output_text")
ABSENT = ("nan", "NaN", "null", "NULL", "<NA>", "#N/A")
"""What programs write into a table where nothing is. `None` is none of them: people answer so."""
WRITTEN_OUT = re.compile(r"\[?\s{0,9}\{\s{0,9}(['\"])[\w -]{1,40}\1\s{0,9}:")
"""How a list of messages, or an object, begins as JSON or Python writes it: `[{'role': ...}]`."""
THOUGHT_PARTS = ("thinking", "redacted_thinking", "reasoning", "thought")


class Said(NamedTuple):
    """A text, and how many thoughts of a model were taken out of it."""

    text: str
    thoughts: int = 0


class NotText(ValueError):
    """A value that nobody can have said: `null`, `NaN`, `a list`, `an object` ..."""


def is_absent(value: object) -> bool:
    """Whether a cell holds nothing: null, or what a table of numbers has for it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def said_in(value: Any) -> Said:
    """The text of a cell or of a message's content, trimmed. Raises NotText for what is none.

    A list of content parts (OpenAI, Anthropic, Inspect) gives its texts, a line each; thoughts are left out and counted.
    """
    if is_absent(value):
        raise NotText("null" if value is None else "NaN")
    if isinstance(value, str):
        stripped = value.strip()
        if stripped in ABSENT:
            raise NotText("null or NaN written as text")
        if stripped[-1:] in ("]", "}") and WRITTEN_OUT.match(stripped):
            raise NotText("a list or object written as text")
        return _without_thoughts(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _of_parts(value)
    return Said(word_of(value))


def word_of(value: Any) -> str:
    """An id, a name or a level as text; empty where the cell holds nothing. Raises NotText for a list or an object."""
    if is_absent(value):
        return ""
    if isinstance(value, Mapping | list | tuple):
        raise NotText(_kind(value))
    return _clean(str(value))


def _of_parts(value: Any) -> Said:
    if not isinstance(value, list | tuple) or not all(isinstance(part, Mapping) for part in value):
        raise NotText(_kind(value))
    texts, thoughts = [], 0
    for part in value:
        kind = part.get("type", "text")
        if kind in THOUGHT_PARTS or part.get("thought") is True:
            thoughts += 1
        elif kind in TEXT_PARTS and isinstance(part.get("text"), str):
            found = _without_thoughts(part["text"])
            texts.append(found.text)
            thoughts += found.thoughts
        else:
            raise NotText(f"a content part of type '{str(kind)[:30]}'" if "type" in part else "a list")
    return Said("\n".join(text for text in texts if text), thoughts)


def _without_thoughts(text: str) -> Said:
    """A text without a model's thinking, however its family marks it."""
    taken = without_thinking(text)
    return Said(_clean(taken.text), int(bool(taken.thinking)))


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").strip()


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else f"of type {type(value).__name__}"
