"""Journals between people: `cbtrun journal export`, `import`, `check` and `compact`.

An export is gzipped JSON lines: a head, one line for each call sorted by key, and a foot with their count and digest. Same
calls, same bytes. It holds replies and what they were counted as: no key of a server, no header, no request.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cbtrun.errors import StageError
from cbtrun.files.plain_files import write_parts
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.columns import odd_values
from cbtrun.journal.exported_file import EMPTY, FIELDS, FORMAT, exported_calls
from cbtrun.journal.salvage import salvage_rows
from cbtrun.journal.tables import columns_there, connect, connect_to_read, faults_in_file
from cbtrun.journal.trouble import told

PIECE = 2**20
"""Bytes of an export that are written at once."""


@dataclass(frozen=True)
class Exported:
    """What an export came to."""

    calls: int
    unreadable: int = 0
    """Calls of a damaged journal that are there, with bytes that are no text."""
    gaps: int = 0
    """Stretches of a damaged journal that cannot be read."""


@dataclass(frozen=True)
class Imported:
    """What an import came to."""

    added: int
    known: int
    """Calls that the journal had already."""


def export_journal(folder: RunFolder, target: Path, *, overwrite: bool = False) -> Exported:
    """Write the journal's calls to a file; of a damaged journal those that can be read.

    Raises StageError when there is no journal, nothing in it can be read, or the file is there and not to be replaced.
    """
    if target.exists() and not overwrite:
        raise StageError(f"{target}: is there already; name another file, or replace it with --overwrite")
    try:
        with closing(_reading(folder)) as connection, told(folder.journal):
            rows = connection.execute(f"SELECT {', '.join(columns_there(connection, FIELDS))} FROM calls ORDER BY key")
            return _write_export(target, rows)
    except StageError as error:
        if not isinstance(error.__cause__, sqlite3.Error):
            raise
    saved, unreadable, gaps = salvage_rows(folder.journal, FIELDS)
    if not saved:
        raise StageError(f"{folder.journal}: damaged, and nothing in it can be read; no file was written")
    return replace(_write_export(target, saved), unreadable=unreadable, gaps=gaps)


def _write_export(target: Path, rows: Iterable[Sequence[object]]) -> Exported:
    counted, total = hashlib.sha256(), 0

    def lines() -> Iterator[bytes]:
        nonlocal total
        yield _line({"cbtrun_journal": FORMAT})
        for row in rows:
            call = dict(zip(FIELDS, row, strict=True))
            line = _line({name: call[name] for name in FIELDS if name not in EMPTY or call[name]})
            counted.update(line)
            total += 1
            yield line
        yield _line({"calls": total, "sha256": counted.hexdigest()})

    write_parts(target, _gzipped(lines()))
    return Exported(total)


def _gzipped(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines compressed, piece by piece; the same lines give the same bytes."""
    out = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, out, mtime=0) as file:
        for line in lines:
            file.write(line)
            if out.tell() > PIECE:
                yield out.getvalue()
                out.seek(0)
                out.truncate()
    yield out.getvalue()


def import_journal(folder: RunFolder, source: Path) -> Imported:
    """Add an export's calls to the journal of a run folder, made if need be: all of them or none.

    Raises StageError for a file that is no whole export, or a call that the journal has with another reply.
    """
    with folder.locked():
        connection = connect(folder.journal)
        try:
            with told(folder.journal), connection:
                return _add_all(connection, source)
        finally:
            connection.close()


def check_journal(folder: RunFolder) -> list[str]:
    """What is wrong with a journal; empty when it is sound."""
    with closing(_reading(folder)) as connection, told(folder.journal):
        found = faults_in_file(connection, thorough=True)
        if not found:
            odd = connection.execute("SELECT count(*) FROM calls WHERE length(key) <> 64").fetchone()[0]
            found += [f"{odd:,} calls have a key of another length"] if odd else []
            there = {name: name == "usd" for name in FIELDS if name in columns_there(connection, FIELDS)}
            wrong = connection.execute(odd_values("calls", there)).fetchone()[0]
            found += [f"{wrong:,} calls hold a value of another kind than its column's"] if wrong else []
            broken = _calls_that_are_no_text(connection)
            found += [f"{broken:,} calls hold bytes that are no text (UTF-8)"] if broken else []
        return found


def _calls_that_are_no_text(connection: sqlite3.Connection) -> int:
    connection.text_factory = bytes
    count = 0
    for row in connection.execute(f"SELECT {', '.join(columns_there(connection, FIELDS))} FROM calls"):
        try:
            b"".join(one for one in row if isinstance(one, bytes)).decode()
        except UnicodeDecodeError:
            count += 1
    return count


def compact_journal(folder: RunFolder) -> tuple[int, int]:
    """Take the free pages out of a journal's file. Returns its bytes before and after."""
    if not folder.journal.exists():
        raise _missing(folder)
    with folder.locked():
        before = _size(folder)
        with closing(connect(folder.journal)) as connection, told(folder.journal):
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return before, _size(folder)


def _add_all(connection: sqlite3.Connection, source: Path) -> Imported:
    added = known = 0
    places = ",".join("?" * len(FIELDS))
    for number, row in exported_calls(source):
        kept = connection.execute("SELECT text, finish FROM calls WHERE key = ?", (row[0],)).fetchone()
        if kept is None:
            connection.execute(f"INSERT INTO calls ({', '.join(FIELDS)}) VALUES ({places})", row)
            added += 1
        elif kept == (row[5], row[8]):
            known += 1
        else:
            raise StageError(f"{source}:{number}: the journal has another reply to this call; nothing was imported")
    return Imported(added, known)


def _line(entry: Any) -> bytes:
    return (json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _reading(folder: RunFolder) -> sqlite3.Connection:
    if not folder.journal.exists():
        raise _missing(folder)
    return connect_to_read(folder.journal)


def _missing(folder: RunFolder) -> StageError:
    return StageError(f"{folder.path}: no run folder of cbtrun (there is no {folder.journal.name} in it)")


def _size(folder: RunFolder) -> int:
    wal = folder.journal.with_name(folder.journal.name + "-wal")
    return folder.journal.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
