"""The journal: every reply that was paid for, committed before it is used, and which stages are done.

One SQLite file in WAL mode. Replies that arrive together share one transaction and one fsync (`synchronous=FULL`
holds through a power cut, not only a kill). One process writes; any process may read while it runs.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from cbtrun.errors import StageError, StopRun
from cbtrun.models import Reply

FORMAT = 1

TABLES = """
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY, stage TEXT NOT NULL, model TEXT NOT NULL, role TEXT NOT NULL, attempt INTEGER NOT NULL,
    text TEXT NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, finish TEXT NOT NULL, usd REAL,
    seconds REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS faults (
    key TEXT NOT NULL, stage TEXT NOT NULL, model TEXT NOT NULL, role TEXT NOT NULL, error TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS stages (
    stage TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, output TEXT NOT NULL, units INTEGER NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One completed call, as the journal keeps it."""

    key: str
    stage: str
    model: str
    role: str
    attempt: int
    reply: Reply
    seconds: float
    """Wall time that the call took."""

    def row(self) -> tuple[str | int | float | None, ...]:
        """The call in the order of the table's columns."""
        reply = self.reply
        counts = (reply.text, reply.tokens_in, reply.tokens_out, reply.finish, reply.usd)
        return (self.key, self.stage, self.model, self.role, self.attempt, *counts, self.seconds)


@dataclass(frozen=True)
class StageMark:
    """That a stage was finished, for which inputs, and what it wrote."""

    fingerprint: str
    output: str
    """SHA-256 of the stage's output."""
    units: int


@dataclass(frozen=True)
class Usage:
    """What the calls of one stage by one model used."""

    stage: str
    model: str
    role: str
    calls: int
    tokens_in: int
    tokens_out: int
    usd: float
    seconds: float


class Journal:
    """An open journal. Use as a context manager; `keep` may be awaited from any number of coroutines."""

    def __init__(self, path: Path) -> None:
        """Open or make the journal at `path`. Raises StageError when it is damaged or of another format."""
        self._path = path
        self._reader = _connect(path)
        self._pending: queue.SimpleQueue[tuple[Call, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="journal", daemon=True)
        self._writer.start()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is pending and close the file."""
        self._pending.put(None)
        self._writer.join()
        self._reader.close()

    def find(self, key: str) -> Reply | None:
        """The reply kept under a key, or none."""
        query = "SELECT text, tokens_in, tokens_out, finish, usd FROM calls WHERE key = ?"
        row = self._reader.execute(query, (key,)).fetchone()
        return None if row is None else Reply(*row)

    async def keep(self, call: Call) -> None:
        """Commit a call to disk. Returns when it is safe. Raises StopRun when the disk refuses."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.put((call, done))
        await done

    def keep_fault(self, key: str, stage: str, model: str, role: str, error: str) -> None:
        """Note a failed try. It is never replayed as an answer."""
        with self._reader:
            self._reader.execute("INSERT INTO faults VALUES (?, ?, ?, ?, ?)", (key, stage, model, role, error))

    def stage(self, stage: str) -> StageMark | None:
        """The mark of a finished stage, or none."""
        row = self._reader.execute("SELECT fingerprint, output, units FROM stages WHERE stage = ?", (stage,)).fetchone()
        return None if row is None else StageMark(*row)

    def mark_stage(self, stage: str, mark: StageMark) -> None:
        """Note that a stage is finished."""
        with self._reader:
            row = (stage, mark.fingerprint, mark.output, mark.units)
            self._reader.execute("INSERT OR REPLACE INTO stages VALUES (?, ?, ?, ?)", row)

    def unmark_stage(self, stage: str) -> None:
        """Note that a stage has to be done again."""
        with self._reader:
            self._reader.execute("DELETE FROM stages WHERE stage = ?", (stage,))

    def count(self) -> int:
        """Completed calls in the journal."""
        return int(self._reader.execute("SELECT count(*) FROM calls").fetchone()[0])

    def usage(self) -> list[Usage]:
        """Calls, tokens, cost and time by stage, model and role, sorted."""
        query = """SELECT stage, model, role, count(*), sum(tokens_in), sum(tokens_out), coalesce(sum(usd), 0), sum(seconds)
                   FROM calls GROUP BY stage, model, role ORDER BY stage, model, role"""
        return [Usage(*row) for row in self._reader.execute(query)]

    def _write_all(self) -> None:
        connection = _connect(self._path)
        while (first := self._pending.get()) is not None:
            batch, last = [first], False
            while not self._pending.empty():
                entry = self._pending.get()
                last = entry is None
                if entry is None:
                    break
                batch.append(entry)
            _commit(connection, batch)
            if last:
                break
        connection.close()


def _commit(connection: sqlite3.Connection, batch: list[tuple[Call, asyncio.Future[None]]]) -> None:
    error: StopRun | None = None
    try:
        with connection:
            rows = [call.row() for call, _ in batch]
            connection.executemany("INSERT OR IGNORE INTO calls VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
    except sqlite3.Error as refused:
        error = StopRun(f"the journal cannot be written ({refused}); free some space and run the same command again")
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for _, done in batch:
        by_loop.setdefault(done.get_loop(), []).append(done)
    for loop, futures in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, futures, error)


def _settle(futures: list[asyncio.Future[None]], error: StopRun | None) -> None:
    for future in futures:
        if future.done():  # its coroutine was cancelled meanwhile; the row is safe all the same
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, FORMAT):
            raise StageError(f"{path}: written by another version of cbtrun (format {found}, this one reads {FORMAT})")
        connection.executescript(TABLES)
        connection.execute(f"PRAGMA user_version={FORMAT}")
    except sqlite3.DatabaseError as error:
        if "full" in str(error) or "readonly" in str(error) or "unable to open" in str(error):
            raise StopRun(f"{path}: cannot be written ({error})") from error
        raise StageError(f"{path}: damaged or not a journal ({error}); move it away to start afresh") from error
    return connection
