"""The journal's one writer: a thread that commits what waits, together, and then tells those who wait for it."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cbtrun.errors import StopRun
from cbtrun.journal.tables import connect

Row = tuple[str | int | float | None, ...]
CALL_COLUMNS = 21
CHUNKS = (64, 8, 1)
"""Rows of one INSERT. After each step SQLite's thread has to win the interpreter back from a busy event loop: one
statement for many rows commits a batch in a fraction of the time that a statement for each row takes."""

GATHER_SECONDS, BUSY_SECONDS = 0.002, 0.02
"""Where the last commit is less than BUSY_SECONDS ago, entries of so long are gathered for the next: one by one, each would
cost a sync of the disk and a turn of the event loop. A call takes a hundred times as long."""


@dataclass(frozen=True)
class CallRow:
    """A call to commit."""

    row: Row
    done: asyncio.Future[None]
    about: str = ""
    """Whose words it holds; empty where nobody's."""
    pending: bool = False
    """Whether it came in a batch: its draw waits no more."""


@dataclass(frozen=True)
class Change:
    """Any other change to commit."""

    sql: str
    row: Row
    done: Future[None] | None = None
    """None when nobody waits for it."""
    rows: Sequence[Row] = ()
    """What `also` is done with, row by row, in the same commit."""
    also: str = ""


class Unwritable(StopRun):
    """An entry that no database can hold. It ends the run: what a model gives is made fit to be kept before it gets here."""


class JournalWriter:
    """Commits entries in the order in which they come, as many at once as wait."""

    def __init__(self, path: Path, still_ours: Callable[[], None] = lambda: None) -> None:
        """still_ours: raises StopRun when this process may write no more. Raises as `connect` does."""
        self._connection = connect(path)
        self._still_ours = still_ours
        self._queue: queue.SimpleQueue[CallRow | Change | None] = queue.SimpleQueue()
        self._run: float | None = None
        self._ended: StopRun | None = None
        """Why the thread has ended before its time."""
        self._committed = 0.0
        self._thread = threading.Thread(target=self._write_all, name="journal", daemon=True)
        self._thread.start()

    def put(self, entry: CallRow | Change) -> None:
        """Hand over an entry. Once the thread has ended, whoever waits for it is told at once."""
        self._queue.put(entry)
        if self._ended is not None:
            self._refuse_what_waits(self._ended)

    def change(self, sql: str, row: Row, also: str = "", rows: Sequence[Row] = ()) -> None:
        """Commit a change, and what is to be done `also` with many rows. Returns when it is on the disk.

        Raises StopRun when the disk refuses.
        """
        done: Future[None] = Future()
        self.put(Change(sql, row, done, rows, also))
        done.result()

    def start_run(self) -> None:
        """From now on every commit notes how long the run has lasted."""
        started = time.time()
        self.change("INSERT OR REPLACE INTO runs VALUES (?, ?)", (started, started))
        self._run = started

    def close(self) -> None:
        """Commit what waits and end."""
        self._queue.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        """The thread. It ends with `close` and in no other way; if it does all the same, nobody waits for ever."""
        batch: list[CallRow | Change] = []
        try:
            last = False
            while not last:
                batch, last = self._next_batch()
                if batch:
                    self._write(batch)
                    self._committed = time.monotonic()
            if self._run is not None:
                self._commit([])
        except BaseException as fatal:  # unforeseen: the run ends with a sentence
            self._ended = StopRun(
                f"the journal's writer has ended ({type(fatal).__name__}: {fatal}); what it wrote is kept"
            )
            self._settle(batch, self._ended)
        self._refuse_what_waits(self._ended or StopRun("the journal is closed"))
        with suppress(sqlite3.Error):  # of a file that was taken away meanwhile
            self._connection.close()

    def _refuse_what_waits(self, why: StopRun) -> None:
        while True:
            try:
                entry = self._queue.get_nowait()
            except queue.Empty:
                return
            if entry is not None:
                self._settle([entry], why)

    def _write(self, batch: Sequence[CallRow | Change]) -> None:
        """Commit a batch and tell those who wait; where one entry cannot be written, the others still are."""
        error = self._commit(batch)
        if isinstance(error, Unwritable) and len(batch) > 1:
            for entry in batch:
                self._settle([entry], self._commit([entry]))
        else:
            self._settle(batch, error)

    def _next_batch(self) -> tuple[list[CallRow | Change], bool]:
        """All that waits, at least one entry; and whether it is the last."""
        batch: list[CallRow | Change] = []
        entry = self._queue.get()
        if isinstance(entry, CallRow) and time.monotonic() - self._committed < BUSY_SECONDS:
            time.sleep(GATHER_SECONDS)
        while entry is not None:
            batch.append(entry)
            if self._queue.empty():
                return batch, False
            entry = self._queue.get()
        return batch, True

    def _commit(self, batch: Sequence[CallRow | Change]) -> StopRun | None:
        connection = self._connection
        try:
            self._still_ours()
            with connection:
                _insert_calls(connection, [entry.row for entry in batch if isinstance(entry, CallRow)])
                if about := [
                    (entry.row[0], entry.about) for entry in batch if isinstance(entry, CallRow) and entry.about
                ]:
                    connection.executemany("INSERT OR IGNORE INTO about VALUES (?, ?)", about)
                if came := [(entry.row[0],) for entry in batch if isinstance(entry, CallRow) and entry.pending]:
                    connection.executemany("DELETE FROM draws WHERE key = ?", came)
                for entry in batch:
                    if isinstance(entry, Change):
                        connection.execute(entry.sql, entry.row)
                        if entry.also:
                            connection.executemany(entry.also, entry.rows)
                if self._run is not None:
                    connection.execute("UPDATE runs SET last = ? WHERE started = ?", (time.time(), self._run))
                self._still_ours()  # now that the file is locked: whoever takes over waits for it, and reads what we wrote
        except StopRun as lost:
            return lost
        except (UnicodeError, OverflowError, sqlite3.InterfaceError, sqlite3.ProgrammingError) as refused:
            return Unwritable(f"the journal cannot hold what a model gave ({type(refused).__name__}: {refused})")
        except sqlite3.Error as refused:
            return StopRun(f"the journal cannot be written ({refused}); free some space and run the same command again")
        except Exception as broken:  # unforeseen: the thread must live on, or every call waits for ever
            return StopRun(f"the journal cannot be written ({type(broken).__name__}: {broken})")
        return None

    def _settle(self, batch: Sequence[CallRow | Change], error: StopRun | None) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        for entry in batch:
            if isinstance(entry, CallRow):
                by_loop.setdefault(entry.done.get_loop(), []).append(entry.done)
            elif entry.done is not None:
                _tell([entry.done], error)
        for loop, futures in by_loop.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(_tell, futures, error)


def _insert_calls(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    start = 0
    for size in CHUNKS:
        statement = _insert(size)
        while len(rows) - start >= size:
            connection.execute(statement, [value for row in rows[start : start + size] for value in row])
            start += size


def _insert(rows: int) -> str:
    one = f"({','.join('?' * CALL_COLUMNS)})"
    return f"INSERT OR IGNORE INTO calls VALUES {','.join([one] * rows)}"


def _tell(futures: Sequence[asyncio.Future[None]] | Sequence[Future[None]], error: StopRun | None) -> None:
    for future in futures:
        if future.done():  # its coroutine was cancelled meanwhile; the row is safe all the same
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
