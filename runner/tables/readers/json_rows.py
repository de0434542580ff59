"""JSON (.json) and JSON lines (.jsonl, .ndjson): a list of records, records inside others by their path, or one record a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cbtrun.errors import SpecError
from cbtrun.tables.row import Row, Writing
from cbtrun.tables.source import Source
from cbtrun.tables.text_file import text_of

MOST_LEVELS = 100
_STEP = re.compile(r"([^.\[\]]+)(\[\])?\Z")


def lines(path: Source, writing: Writing) -> Iterator[Row]:
    """A record for each line that is not blank, with its line."""
    text = text_of(path, writing.encoding)
    if text.lstrip()[:1] == "[" and "\n" in text.strip():  # a document under another ending
        yield from records(parsed(text, path), path, writing)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            value = parsed(line, path, number)
            if not isinstance(value, dict):
                raise SpecError.at(str(path), "each line must be a JSON object", line=number)
            for cells in _records(value, writing.records, path):
                yield Row(number, cells)


def rows(path: Source, writing: Writing) -> Iterator[Row]:
    """The records of a document: the items of its list, those at `records`, or the one object that it is."""
    value = document(path, writing)
    yield from lines(path, writing) if value is None else records(value, path, writing)


def document(path: Source, writing: Writing) -> Any:
    """A whole document; None where it is lines of JSON under another ending."""
    text = text_of(path, writing.encoding)
    try:
        return parsed(text, path)
    except SpecError as error:
        if "Extra data" not in str(error):
            raise
        return None


def records(value: Any, path: Source, writing: Writing) -> Iterator[Row]:
    """A row for each record of a document, with its number."""
    for number, cells in enumerate(_records(value, writing.records, path), start=1):
        yield Row(number, cells)


def parsed(text: str, path: Source, line: int | None = None) -> Any:
    """The value of a JSON text. Raises SpecError with its line where it is none, or nested too deeply."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecError.at(str(path), f"not JSON: {error.msg}", line=line or error.lineno, column=error.colno) from None
    except RecursionError:
        value = None
    except ValueError as error:  # a number of thousands of digits
        raise SpecError.at(str(path), f"not JSON: {str(error)[:80]}", line=line) from None
    if value is None or _is_deeper(value):
        raise SpecError.at(str(path), f"is empty, or nested deeper than {MOST_LEVELS} levels", line=line)
    return value


def _is_deeper(value: Any) -> bool:
    layer = [value]
    for _ in range(MOST_LEVELS):
        layer = [
            inner
            for one in layer
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not layer:
            return False
    return True


def _records(value: Any, steps: str, path: Source) -> Iterator[Mapping[str, Any]]:
    """The objects at a path. A list of lists is a list of conversations: each becomes `messages` of a record."""
    found = _below(value, steps.split("."), {}, path, steps) if steps else _listed(value, {})
    for one in found:
        if isinstance(one, list):
            yield {"messages": one}
        elif isinstance(one, dict):
            yield one
        else:
            raise SpecError.at(str(path), f"a record must be an object, not {type(one).__name__}; {_lists_in(value)}")


def _listed(value: Any, outer: Mapping[str, Any]) -> Iterator[Any]:
    for one in value if isinstance(value, list) else [value]:
        yield {**outer, **one} if isinstance(one, dict) else one


def _below(value: Any, steps: list[str], outer: Mapping[str, Any], path: Source, whole: str) -> Iterator[Any]:
    """What stands at the rest of a path; a record keeps the plain values of those around it."""
    if not steps:
        yield from _listed(value, outer)
        return
    step = _STEP.match(steps[0])
    if steps[0] == "[]" and isinstance(value, list):
        for one in value:
            yield from _below(one, steps[1:], outer, path, whole)
    elif step is None or not isinstance(value, dict) or step[1] not in value:
        raise SpecError.at(str(path), f"`records: {whole}`: nothing at '{steps[0]}'; {_lists_in(value)}")
    else:
        around = {**outer, **{key: one for key, one in value.items() if not isinstance(one, dict | list)}}
        inner = value[step[1]]
        if step[2] and not isinstance(inner, list):
            raise SpecError.at(str(path), f"`records: {whole}`: '{step[1]}' is no list; {_lists_in(value)}")
        for one in inner if step[2] else [inner]:
            yield from _below(one, steps[1:], around, path, whole)


def _lists_in(value: Any) -> str:
    """The lists of an object, as `records` would name them."""
    if isinstance(value, list):
        return "the document is a list"
    names = [f"{key}[]" for key, one in value.items() if isinstance(one, list)] if isinstance(value, dict) else []
    return f"lists here: {', '.join(names[:8])}" if names else "there are no lists here"
