"""Reads a file of transcripts (CSV, JSON lines or Parquet) as rows that know their line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbtrun.errors import SpecError

CSV_FIELD_LIMIT = 16 * 2**20
"""Longest cell of a CSV, in characters; the standard library stops at 131,072."""


@dataclass(frozen=True)
class Row:
    """One row: its cells by column, and where it stands."""

    line: int
    """Line of the file, from 1; for Parquet the number of the row."""
    cells: Mapping[str, Any]
    file: str = ""
    """The row's own file, where the table comes from several."""


@dataclass(frozen=True)
class Table:
    """A whole file."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(path: Path) -> Table:
    """The rows of a .csv, .jsonl or .parquet file. Raises SpecError with file and line when it cannot be read."""
    readers = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SpecError.at(path, f"unknown kind of file '{path.suffix}'; known: {', '.join(sorted(readers))}")
    try:
        rows = tuple(reader(path))
    except UnicodeDecodeError as error:
        raise SpecError.at(path, f"not UTF-8: {error.reason} at byte {error.start}") from None
    if not rows:
        raise SpecError.at(path, "holds no rows")
    return Table(tuple(dict.fromkeys(column for row in rows for column in row.cells)), rows)


def _csv(path: Path) -> Iterator[Row]:
    csv.field_size_limit(CSV_FIELD_LIMIT)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        start = 2
        try:
            for cells in reader:
                if None in cells or None in cells.values():
                    wanted = len(reader.fieldnames or ())
                    raise SpecError.at(path, f"this row does not have the header's {wanted} columns", line=start)
                yield Row(start, cells)
                start = reader.line_num + 1
        except csv.Error as error:
            raise SpecError.at(path, f"not valid CSV: {error}", line=start) from None


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                cells = json.loads(line)
            except json.JSONDecodeError as error:
                raise SpecError.at(path, f"not JSON: {error.msg}", line=number, column=error.colno) from None
            if not isinstance(cells, dict):
                raise SpecError.at(path, "each line must be a JSON object", line=number)
            yield Row(number, cells)


def _parquet(path: Path) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        missing = "Parquet is read by pyarrow, which is not installed; pip install 'cbtrun[data]'"
        raise SpecError.at(path, missing) from None
    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowInvalid as error:
        raise SpecError.at(path, f"not valid Parquet: {error}") from None
    for number, cells in enumerate(table.to_pylist(), start=1):
        yield Row(number, cells)


def told(cell: object, quote: str = "'") -> str:
    """A cell as messages show it: a short one in quotes. A longer one may be what somebody said, which goes into no log."""
    text = str(cell)
    return (
        f"{quote}{text}{quote}" if len(text) <= 24 and len(text.split()) <= 2 else f"a text of {len(text):,} characters"
    )
