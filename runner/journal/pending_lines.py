"""Batches that wait, as an export of a journal holds them, and as an import takes them up."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from cbtrun.errors import StageError
from cbtrun.journal.batch_book import BATCH_COLUMNS, COLLECTED, SUBMITTED, SUBMITTING, batches_in
from cbtrun.journal.columns import cast_of

Pending = tuple[str, dict[str, object]]
"""Table and line."""
FARTHER = (SUBMITTING, SUBMITTED, COLLECTED)
"""States of a batch as they follow each other."""


def pending_lines(connection: sqlite3.Connection) -> Iterator[Pending]:
    """A line for each batch that was handed in and has draws left, then one for each of those draws."""
    waiting = [one for one in batches_in(connection) if _keys(connection, one.batch) and one.state in FARTHER]
    for batch in waiting:
        yield "batches", {name: getattr(batch, name) for name in BATCH_COLUMNS}
    named = f"CAST(key AS TEXT), {cast_of('status')}, {cast_of('body')}"
    for batch in waiting:
        for key, status, body in connection.execute(
            f"SELECT {named} FROM draws WHERE batch = ? ORDER BY key", (batch.batch,)
        ):
            yield "draws", {"draw": key, "of": batch.batch, "status": status, "body": body}


def add_batch(connection: sqlite3.Connection, row: Sequence[Any]) -> None:
    """Take up a batch, or what is newer of one that is there already."""
    given = dict(zip(BATCH_COLUMNS, row, strict=True))
    places = ",".join("?" * len(row))
    connection.execute(f"INSERT OR IGNORE INTO batches VALUES ({places})", row)
    kept = connection.execute("SELECT state FROM batches WHERE batch = ?", (given["batch"],)).fetchone()[0]
    if kept in FARTHER and given["state"] in FARTHER and FARTHER.index(given["state"]) > FARTHER.index(kept):
        newer = [given[name] for name in ("state", "id", "done", "sent", "ended", "batch")]
        connection.execute("UPDATE batches SET state = ?, id = ?, done = ?, sent = ?, ended = ? WHERE batch = ?", newer)


def add_draw(connection: sqlite3.Connection, row: Sequence[Any], where: str) -> int:
    """Take up a draw that waits, unless its call is here. Gives 1 for one that is new.

    Raises StageError where it waits in another batch here: it was bought twice, and which answer counts is yours to say.
    """
    key, batch, status, body = row
    kept = connection.execute("SELECT batch, status FROM draws WHERE key = ?", (key,)).fetchone()
    if kept is None:
        connection.execute("INSERT INTO draws VALUES (?, ?, '', ?, ?)", (key, batch, status, body))
        return 1
    if kept[0] != batch:
        raise StageError(f"{where}: the journal has this draw in another batch ({kept[0]}); nothing was imported")
    if status and not kept[1]:
        connection.execute("UPDATE draws SET status = ?, body = ? WHERE key = ?", (status, body, key))
    return 0


def leave_answered(connection: sqlite3.Connection) -> int:
    """Take out draws whose call is here by now. Gives how many."""
    return connection.execute("DELETE FROM draws WHERE key IN (SELECT key FROM calls)").rowcount


def _keys(connection: sqlite3.Connection, batch: str) -> bool:
    return connection.execute("SELECT 1 FROM draws WHERE batch = ? LIMIT 1", (batch,)).fetchone() is not None
