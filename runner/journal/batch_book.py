"""What the journal knows of batches: handed in, or about to be, and not yet among the calls. The *pending* state.

A batch is written down with the keys of its draws before a vendor hears of it, and each step is on the disk before the next is
taken. A draw stands in one batch at most, which the table itself holds to: nothing is handed in twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.contract.batches import ItemAnswer
from cbtrun.journal.columns import cast_of
from cbtrun.journal.trouble import told

if TYPE_CHECKING:
    from cbtrun.journal.writer import JournalWriter

BATCH = "batch"
"""What `calls.bought` says of a reply that came in a batch."""
HTTP = 100
"""Status of an answer from which on it is one of HTTP's, and the vendor has tried the request."""
BUILT, SUBMITTING, SUBMITTED, COLLECTED = "built", "submitting", "submitted", "collected"
CANCELLED, FAILED, NOT_SUBMITTED, GIVEN_UP = "cancelled", "failed", "not submitted", "given up"
WAITING = (SUBMITTING, SUBMITTED)
"""States in which answers may still come, and may be paid for."""
STATES = (BUILT, SUBMITTING, SUBMITTED, COLLECTED, CANCELLED, FAILED, NOT_SUBMITTED, GIVEN_UP)
BATCH_COLUMNS = (
    *("batch", "vendor", "server", "stage", "model", "asked", "state", "id", "file", "digest"),
    *("size", "done", "usd", "made", "sent", "ended", "note"),
)
DRAW_COLUMNS = ("key", "batch", "about", "status", "body")


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch, as the journal keeps it."""

    batch: str
    """Our own mark of it, which the vendor's metadata, its name or the ids of its requests bear."""
    vendor: str
    server: str
    stage: str
    model: str
    asked: str
    """Digest of the identity of the model that was asked."""
    state: str = BUILT
    """One of STATES."""
    id: str = ""
    """The vendor's."""
    file: str = ""
    """The vendor's id of the file with the requests, where there is one."""
    digest: str = ""
    """SHA-256 over the requests."""
    size: int = 0
    """Draws."""
    done: int = 0
    """Draws that the vendor said were done, when it was last asked."""
    usd: float | None = None
    """What it may cost at most; none where there are no prices."""
    made: float = 0.0
    """When it was built, submitted and collected, in seconds since 1970; 0 where it was not."""
    sent: float = 0.0
    ended: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where a draw is: in which batch, and what came back so far (status 0: nothing)."""

    batch: str
    state: str
    answer: ItemAnswer


@dataclass
class BatchBook:
    """The batches of an open journal. Every change is on the disk when its method returns."""

    path: Path
    reader: sqlite3.Connection
    writer: JournalWriter

    def build(self, batch: Batch, draws: Sequence[tuple[str, str]]) -> None:
        """Write down a batch that is about to be handed in. draws: (key, whose words it holds)."""
        places = ",".join("?" * len(BATCH_COLUMNS))
        row = tuple(getattr(batch, name) for name in BATCH_COLUMNS)
        rows = [(key, batch.batch, about, 0, "") for key, about in draws]
        self.writer.change(f"INSERT INTO batches VALUES ({places})", row, "INSERT INTO draws VALUES (?,?,?,?,?)", rows)

    def submitting(self, batch: str, file: str, sent: float) -> None:
        """Note that a batch is handed in from now on: after a kill nobody can say whether it got there."""
        self._move(batch, SUBMITTING, "file = ?, sent = ?", file, sent)

    def submitted(self, batch: str, id_: str) -> None:
        """Note the vendor's id of a batch that got there."""
        self._move(batch, SUBMITTED, "id = ?", id_)

    def seen(self, batch: str, done: int) -> None:
        """Note how far the vendor is."""
        self.writer.change("UPDATE batches SET done = ? WHERE batch = ?", (done, batch))

    def collect(self, batch: str, state: str, answers: Mapping[str, ItemAnswer], ended: float, note: str = "") -> None:
        """Keep all answers of a batch at once. Answers to keys that it has not are left out."""
        keep = f"UPDATE draws SET status = ?, body = ? WHERE key = ? AND batch = ? AND {cast_of('status')} = 0"
        rows = [(one.status, one.body, key, batch) for key, one in answers.items()]
        sql = "UPDATE batches SET state = ?, ended = ?, done = ?, note = ? WHERE batch = ?"
        done = sum(one.status >= HTTP for one in answers.values())
        self.writer.change(sql, (state, ended, done, note, batch), keep, rows)

    def drop(self, batch: str, state: str, note: str, ended: float) -> None:
        """End a batch of which nothing comes (any more): its draws may be asked for anew."""
        sql = "UPDATE batches SET state = ?, note = ?, ended = ? WHERE batch = ?"
        self.writer.change(sql, (state, note, ended, batch), "DELETE FROM draws WHERE batch = ?", [(batch,)])

    def release(self, key: str) -> None:
        """Note that a draw waits no more: what came for it is no reply, and it may be asked for anew."""
        self.writer.change("DELETE FROM draws WHERE key = ?", (key,))

    def discard_unsent(self) -> None:
        """Forget batches that were built and never handed in, by a run that ended between."""
        built = "SELECT batch FROM batches WHERE state = ?"
        self.writer.change(f"DELETE FROM draws WHERE batch IN ({built})", (BUILT,))
        self.writer.change("DELETE FROM batches WHERE state = ?", (BUILT,))

    def where(self, key: str) -> Waiting | None:
        """The batch that a draw is in; none where it is in none."""
        named = ", ".join(cast_of(f"{name}") for name in ("status", "body"))
        query = f"SELECT {named}, CAST(draws.batch AS TEXT) FROM draws WHERE key = ?"
        rows = self._rows(query, key)
        if not rows:
            return None
        status, body, batch = rows[0]
        found = self.batch(batch)
        return Waiting(batch, found.state if found else COLLECTED, ItemAnswer(status, body))

    def batch(self, batch: str) -> Batch | None:
        """A batch by our own mark."""
        rows = self._rows(f"SELECT {_BATCH} FROM batches WHERE batch = ?", batch)
        return Batch(*rows[0]) if rows else None

    def all(self) -> list[Batch]:
        """Every batch, the oldest first."""
        return [Batch(*row) for row in self._rows(f"SELECT {_BATCH} FROM batches ORDER BY made, batch")]

    def ids(self) -> frozenset[str]:
        """The vendors' ids of all batches."""
        return frozenset(one.id for one in self.all() if one.id)

    def keys(self, batch: str) -> list[str]:
        """Keys of a batch's draws that are not among the calls yet."""
        return [key for (key,) in self._rows("SELECT CAST(key AS TEXT) FROM draws WHERE batch = ? ORDER BY key", batch)]

    def _move(self, batch: str, state: str, sets: str, *values: str | float) -> None:
        self.writer.change(f"UPDATE batches SET state = ?, {sets} WHERE batch = ?", (state, *values, batch))

    def _rows(self, query: str, *values: object) -> list[Any]:
        with told(self.path):
            return self.reader.execute(query, values).fetchall()


_BATCH = ", ".join(map(cast_of, BATCH_COLUMNS))


def batches_in(connection: sqlite3.Connection) -> Iterable[Batch]:
    """Every batch of a journal that is only read, the oldest first; none of an earlier format."""
    if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'batches'").fetchone()[0]:
        return []
    return [Batch(*row) for row in connection.execute(f"SELECT {_BATCH} FROM batches ORDER BY made, batch")]


def unanswered_in(connection: sqlite3.Connection, batch: str) -> int:
    """Draws of a batch that are not among the calls yet."""
    return int(connection.execute("SELECT count(*) FROM draws WHERE batch = ?", (batch,)).fetchone()[0])
