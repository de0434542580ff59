"""Parquet, by pyarrow (an extra)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cbtrun.errors import SpecError
from cbtrun.tables.row import Row, Writing


def rows(path: Path, _: Writing) -> Iterator[Row]:
    """A row for each record, by its number."""
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
