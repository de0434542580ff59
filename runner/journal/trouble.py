"""What SQLite's refusals mean: a disk without room is not a damaged journal, and no reply may be thrown away for it."""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cbtrun.errors import CbtrunError, StageError, StopRun
from cbtrun.files.folder_hold import no_locks

LITTLE = 2**20
"""Bytes below which a disk has no room for a journal at work: SQLite's shared memory alone takes 32 KiB."""
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
WORDS = {
    "malformed": sqlite3.SQLITE_CORRUPT,
    "not a database": sqlite3.SQLITE_NOTADB,
    "full": sqlite3.SQLITE_FULL,
    "disk I/O": sqlite3.SQLITE_IOERR,
    "readonly": sqlite3.SQLITE_READONLY,
    "unable to open": sqlite3.SQLITE_CANTOPEN,
    "locked": sqlite3.SQLITE_BUSY,
}
NO_LOCKS = (sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_RDLOCK, sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK)
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Say SQLite's errors in our words. Raises StopRun when the disk refuses, StageError when the file is damaged."""
    try:
        yield
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    except UnicodeDecodeError as error:  # of a name or a message of SQLite's that quotes the file
        raise damaged(path, "bytes that are no text (UTF-8)") from error


def trouble(path: Path, error: sqlite3.Error) -> CbtrunError:
    """The error that a refusal of SQLite is."""
    code = code_of(error)
    if code in DAMAGE or code is None:
        return damaged(path, str(error))
    if getattr(error, "sqlite_errorcode", 0) in NO_LOCKS:
        return no_locks(path.parent, OSError(0, str(error)))
    if code in NO_ROOM and (why := _no_room(path)):
        return StopRun(
            f"{path}: no room ({why}); nothing in the journal is lost. Free some space and run the same command again"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StopRun(
            f"{path}: cannot be written ({error}); nothing in it is lost. Run the same command where it can be"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StopRun(f"{path}: cannot be written ({error}); another program holds it. Run the same command again")
    return StopRun(
        f"{path}: the disk refuses ({error}); the journal need not be damaged. Look at the disk, its free space and "
        "limits (df, ulimit -f), and run the same command again"
    )


def code_of(error: sqlite3.Error) -> int | None:
    """SQLite's primary code; none for an error that is no refusal of the file, like a missing table."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return None if code & 0xFF == sqlite3.SQLITE_ERROR else code & 0xFF
    return next((known for words, known in WORDS.items() if words in str(error)), None)


def damaged(path: Path, what: str) -> StageError:
    """A journal that cannot be used."""
    return StageError(
        f"{path}: damaged or not a journal ({what}); `cbtrun journal export` saves what can be read, "
        "or move it away to start afresh"
    )


def _no_room(path: Path) -> str:
    """Why there is no room; empty where there is some."""
    with suppress(OSError):
        found = os.statvfs(path.parent)
        free = found.f_bavail * found.f_frsize
        if free < LITTLE:
            return f"{free // 1024:,} KiB free"
        if found.f_files and not found.f_favail:
            return "no inode free"
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit != resource.RLIM_INFINITY:
        sizes = [there.stat().st_size for end in ("", "-wal") if (there := Path(f"{path}{end}")).exists()]
        if max(sizes, default=0) + LITTLE > limit:
            return f"files may have {limit:,} bytes, `ulimit -f`"
    return ""
