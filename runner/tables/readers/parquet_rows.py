"""Parquet, by pyarrow (an extra). A few kilobytes of it can stand for gigabytes: what it unpacks to is bounded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from cbtrun.errors import SpecError
from cbtrun.tables.memory import TooMuchMemory, memory_bounded
from cbtrun.tables.row import MOST_ROWS, Row, Writing
from cbtrun.tables.source import MOST_BYTES, Member, Source, most_unpacked

ADDRESSES = 3 * MOST_BYTES
"""Of memory that reading may take hold of: Arrow's libraries and threads take one to two gigabytes of addresses and use few."""
BATCH = 1_000
"""Rows that are unpacked at once."""


def rows(source: Source, _: Writing) -> Iterator[Row]:
    """A row for each record, by its number."""
    try:
        import pyarrow.parquet
    except ImportError:
        missing = "Parquet is read by pyarrow, which is not installed; pip install 'cbtrun[data]'"
        raise SpecError.at(str(source), missing) from None
    # Arrow's own allocator takes a gigabyte of addresses at its first use, whatever it needs of them: the bound would end it.
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    try:
        with memory_bounded(ADDRESSES):
            found = _records(pyarrow.parquet, source)
    except TooMuchMemory:
        raise SpecError.at(str(source), "unpacks to far more than a table of this size holds; split it") from None
    except (OSError, ValueError, NotImplementedError, KeyError, TypeError) as error:  # as pyarrow tells broken files
        raise SpecError.at(
            str(source), f"not valid Parquet: {str(error).splitlines()[0][:200] or type(error).__name__}"
        ) from None
    for number, cells in enumerate(found, start=1):
        yield Row(number, cells)


def _records(parquet: Any, source: Source) -> list[dict[str, Any]]:
    """Every record, a batch at a time. Raises TooMuchMemory once they are more than a file of that size should give."""
    found: list[dict[str, Any]] = []
    room = most_unpacked(source)
    opened = io.BytesIO(source.content) if isinstance(source, Member) else source.open("rb")
    with opened, parquet.ParquetFile(opened) as file:
        if file.metadata.num_rows > MOST_ROWS or _told_size(file.metadata) > room:
            raise TooMuchMemory
        for batch in file.iter_batches(BATCH, use_threads=False):
            # A column that is kept as a list of words and their numbers is a word a row once it is read.
            room -= sum(getattr(one, "dictionary_decode", lambda one=one: one)().nbytes for one in batch.columns)
            if room < 0 or len(found) > MOST_ROWS:
                raise TooMuchMemory
            found += batch.to_pylist()
    return found


def _told_size(metadata: Any) -> int:
    """Bytes of all pages, unpacked, as the file itself tells them."""
    return sum(metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups))
