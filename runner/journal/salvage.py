"""What can still be read of a damaged journal, row by row."""

from __future__ import annotations

import shutil
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cbtrun.journal.tables import columns_there

HEX = "0123456789abcdef"
MOST_FAILURES = 4096
"""Stretches that are tried in vain before the rest is given up: each is one look into a page."""
PAGE_ONE = 4096
"""Bytes of the first page, which holds what the tables are; every journal has the same."""


@dataclass
class Salvage:
    """The calls of a damaged journal. Read all of `rows` before the counts."""

    connection: sqlite3.Connection
    fields: Sequence[str]
    unreadable: int = 0
    """Rows that are there, with bytes that are no text."""
    gaps: int = 0
    """Stretches of the file that cannot be read; how many rows they held nobody can say."""

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Each readable call once, sorted by key."""
        found: dict[str, tuple[object, ...]] = {}
        for row in self._raw():
            try:
                read = tuple(one.decode() if isinstance(one, bytes) else one for one in row)
            except UnicodeDecodeError:
                self.unreadable += 1
            else:
                found[str(read[0])] = read
        for key in sorted(found):
            yield found[key]

    def _raw(self) -> Iterator[tuple[object, ...]]:
        """Rows by the first signs of their keys, which are digests: a stretch that fails is asked for in smaller ones."""
        self.connection.text_factory = bytes
        waiting, failures = deque([""]), 0
        seen: set[object] = set()
        while waiting:
            start = waiting.popleft()
            whole, rows = self._stretch(start)
            for row in rows:
                if row[0] not in seen:
                    seen.add(row[0])
                    yield row
            if whole:
                continue
            failures += 1
            if failures < MOST_FAILURES and len(start) < 6:
                waiting.extend(start + sign for sign in HEX)
            else:
                self.gaps += 1

    def _stretch(self, start: str) -> tuple[bool, list[tuple[object, ...]]]:
        """Whether all rows whose key begins so can be read; and those before the first fault, from either end."""
        rows: list[tuple[object, ...]] = []
        for order in ("ASC", "DESC"):
            query = f"SELECT {', '.join(self.fields)} FROM calls WHERE key >= ? AND key < ? ORDER BY key {order}"
            try:
                with closing(self.connection.execute(query, (start, f"{start}~"))) as cursor:
                    rows.extend(cursor)
                return True, rows
            except sqlite3.DatabaseError:
                continue
        return False, rows


def with_a_first_page(journal: Path, folder: Path) -> Path | None:
    """A copy of a journal whose first page is lost, with that of a new journal; none where the file is too short.

    The first page says what the tables are and where they begin, which is the same in every journal.
    """
    from cbtrun.journal.tables import connect

    size = journal.stat().st_size
    if size < 2 * PAGE_ONE:
        return None
    fresh, copy = folder / "fresh.sqlite", folder / "copy.sqlite"
    connect(fresh).close()
    first = bytearray(fresh.read_bytes()[:PAGE_ONE])
    first[18:20] = b"\x01\x01"  # no WAL beside the copy
    first[28:32] = (size // PAGE_ONE).to_bytes(4, "big")
    first[32:40] = bytes(8)  # no free pages
    shutil.copyfile(journal, copy)
    with copy.open("r+b") as file:
        file.write(first)
    return copy


def salvage_rows(journal: Path, fields: Sequence[str]) -> tuple[list[tuple[object, ...]], int, int]:
    """Readable calls, rows that are no text, and stretches that cannot be read; whatever is wrong with the file."""
    best: tuple[list[tuple[object, ...]], int, int] = ([], 0, 1)
    with TemporaryDirectory() as made:
        copy = Path(made) / "journal.sqlite"
        shutil.copyfile(journal, copy)
        for end in ("-wal", "-journal"):
            if Path(f"{journal}{end}").is_file():
                shutil.copyfile(f"{journal}{end}", f"{copy}{end}")
        for path in (copy, with_a_first_page(journal, Path(made))):
            if path is None or best[0]:
                continue
            with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
                salvage = Salvage(connection, columns_there(connection, fields))
                rows = list(salvage.rows())
                best = max(best, (rows, salvage.unreadable, salvage.gaps), key=lambda one: len(one[0]))
    return best
