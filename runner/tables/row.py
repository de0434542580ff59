"""What every reader of a file gives: rows that know where they stand. And what a study may say of how a file is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cbtrun.tables.source import Source


@dataclass(frozen=True)
class Row:
    """One row: its cells by column, and where it stands."""

    line: int
    """Line of the file, from 1; for JSON and Parquet the number of the record."""
    cells: Mapping[str, Any]
    file: str = ""
    """The row's own file, where the table comes from several."""


@dataclass(frozen=True)
class Table:
    """A whole file, or all files of a folder."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Writing:
    """How a file is written, where it does not say so itself. An empty text: as the reader finds it."""

    delimiter: str = ""
    """What stands between the cells of a CSV."""
    encoding: str = ""
    """As Python names it: `windows-1252`, `utf-16` ..."""
    records: str = ""
    """Where the records of a JSON document are: `sessions[]`, `data.sessions[].turns[]`."""
    file_name: str = ""
    """How the files of a folder are called: `{quality}_{number}`; each name in braces is a column."""
    sheet: str = ""
    """Name of the sheet of a workbook."""


MOST_ROWS = 2_000_000
"""Of a table: each row takes some 500 bytes of memory."""
AS_FOUND = Writing()
Reader = Callable[[Source, Writing], Iterator[Row]]
"""The contract of a reader: the rows of one file. Raises SpecError with file and line for what it cannot read."""
