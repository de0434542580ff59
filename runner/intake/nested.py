"""Where the records of nested JSON are: the lists whose items hold a conversation each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cbtrun.errors import SpecError
from cbtrun.intake.columns import message_keys
from cbtrun.tables.row import Row, Table, Writing
from cbtrun.tables.transcript_table import read_table

MOST_LEVELS = 6
LOOKED_AT = 20
"""Items of a list, and rows, that are looked into."""


def records_in(rows: Sequence[Row], said: Mapping[str, str]) -> str:
    """The path of records within the rows, as `records` names it; empty where none is found."""
    for row in rows[:LOOKED_AT]:
        for path in _paths(row.cells, "", said, 0):
            return path
    return ""


def _paths(value: Mapping[str, Any], above: str, said: Mapping[str, str], level: int) -> Iterator[str]:
    for key, inner in value.items():
        if level > MOST_LEVELS or "." in str(key) or "[" in str(key):
            continue
        items = [one for one in inner[:LOOKED_AT] if isinstance(one, Mapping)] if isinstance(inner, list) else []
        if items and any(_holds_talk(one, said) for one in items):
            yield f"{above}{key}[]"
        for one in items or ([inner] if isinstance(inner, Mapping) else []):
            yield from _paths(one, f"{above}{key}{'[]' if items else ''}.", said, level + 1)


def _holds_talk(record: Mapping[str, Any], said: Mapping[str, str]) -> bool:
    lists = [inner[:LOOKED_AT] for inner in record.values() if isinstance(inner, list)]
    return any(message_keys(one, said) for one in lists)


def at_records(path: Path, writing: Writing, records: str) -> tuple[Table, Writing]:
    """The rows at a path of records, which begins with `[]` where the document is a list."""
    for whole in (records, f"[].{records}"):
        try:
            said = replace(writing, records=whole)
            return read_table(path, said), said
        except SpecError as error:
            refused = error
    raise refused
