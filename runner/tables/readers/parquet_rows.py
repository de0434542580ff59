"""Parquet, by pyarrow (an extra)."""

from __future__ import annotations

import io
from collections.abc import Iterator

from cbtrun.errors import SpecError
from cbtrun.tables.row import Row, Writing
from cbtrun.tables.source import Member, Source


def rows(source: Source, _: Writing) -> Iterator[Row]:
    """A row for each record, by its number."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        missing = "Parquet is read by pyarrow, which is not installed; pip install 'cbtrun[data]'"
        raise SpecError.at(str(source), missing) from None
    try:
        table = pyarrow.parquet.read_table(io.BytesIO(source.content) if isinstance(source, Member) else source)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError, OSError) as error:
        raise SpecError.at(str(source), f"not valid Parquet: {error}") from None
    for number, cells in enumerate(table.to_pylist(), start=1):
        yield Row(number, cells)
