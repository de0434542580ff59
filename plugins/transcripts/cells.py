"""A row's cell by its column, an error at a row, and the rows that a study keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cbtrun.plugin import SpecError, Table
from cbtrun.plugin import TableRow as Row
from cbtrun.plugins.transcripts.said import NotText, is_absent, word_of


def cell(row: Row, column: str) -> Any:
    """A cell; `a.b` is b inside the object a where no column has the whole name. None where there is nothing."""
    if column in row.cells or "." not in column:
        value = row.cells.get(column)
    else:
        value = row.cells
        for step in column.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
    return None if is_absent(value) else value


def has_column(table: Table, column: str) -> bool:
    """Whether a table has a column, or objects with what it names."""
    if column in table.columns:
        return True
    return "." in column and any(cell(row, column) is not None for row in table.rows)


def word(row: Row, column: str, source: object) -> str:
    """A cell as an id, a name or a level; empty where it holds nothing. Raises SpecError for a list or an object."""
    try:
        return word_of(cell(row, column))
    except NotText as error:
        raise at_row(source, row, f"column '{column}' holds {error}, not a text") from None


def kept_rows(table: Table, where: Mapping[str, Any]) -> Sequence[Row]:
    """The rows in which each named column has the value that the study wants."""
    if not where:
        return table.rows
    return [row for row in table.rows if all(str(cell(row, column)) == str(value) for column, value in where.items())]


def at_row(source: object, row: Row, what: str) -> SpecError:
    """An error at a row: its own file where the table comes from several."""
    return SpecError.at(row.file or Path(str(source)), what, line=row.line)
