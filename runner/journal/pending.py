"""Batches that wait, in words, and what their user says of one whose submission nobody can tell: `cbtrun journal pending`."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from cbtrun.errors import StageError
from cbtrun.journal.batch_book import (
    BUILT,
    COLLECTED,
    GIVEN_UP,
    NOT_SUBMITTED,
    SUBMITTED,
    SUBMITTING,
    WAITING,
    Batch,
    batches_in,
    unanswered_in,
)
from cbtrun.journal.tables import connect, connect_to_read
from cbtrun.journal.trouble import told

if TYPE_CHECKING:
    from cbtrun.files.run_folder import RunFolder


def pending_batches(connection: sqlite3.Connection) -> Iterator[tuple[Batch, int]]:
    """Each batch that waits, or whose answers are not all among the calls yet, with how many draws those are."""
    for batch in batches_in(connection):
        left = unanswered_in(connection, batch.batch)
        if batch.state in WAITING or (batch.state == COLLECTED and left):
            yield batch, left


def pending_words(batch: Batch, left: int, now: float) -> str:
    """`batch 3f2a at OpenAI (batch_68...): 312 draws of 'rater' wait, 120 done, submitted 2.1 h ago`."""
    where = f"batch {batch.batch} at {batch.vendor}{f' ({batch.id})' if batch.id else ''}"
    ago = _ago(now - (batch.sent or batch.made))
    cost = "" if batch.usd is None else f", at most ${batch.usd:,.2f}"
    if batch.state == SUBMITTING:
        return f"{where}: {left:,} draws of '{batch.model}' may have been submitted {ago} ago{cost}; the next run looks for it"
    if batch.state == COLLECTED:
        return f"{where}: collected; {left:,} answers for '{batch.model}' that no run has asked for since"
    return f"{where}: {left:,} draws of '{batch.model}' wait, {batch.done:,} done, submitted {ago} ago{cost}"


def _ago(seconds: float) -> str:
    seconds = max(0.0, seconds)
    return (
        f"{seconds / 3600:,.1f} h"
        if seconds >= 3600
        else f"{seconds / 60:,.0f} min"
        if seconds >= 60
        else f"{seconds:.0f} s"
    )


def pending_lines_of(folder: RunFolder) -> list[str]:
    """What waits in a run's journal, a line each, with the stage."""
    if not folder.journal.exists():
        raise StageError(f"{folder.path}: no run folder of cbtrun (there is no {folder.journal.name} in it)")
    with closing(connect_to_read(folder.journal)) as connection, told(folder.journal):
        return [
            f"{batch.stage}: {pending_words(batch, left, time.time())}" for batch, left in pending_batches(connection)
        ]


def say_found(folder: RunFolder, batch: str, id_: str) -> str:
    """The user found a batch at the vendor's, by this id: the next run collects it."""
    _change(
        folder, batch, (SUBMITTING, SUBMITTED), "UPDATE batches SET state = ?, id = ? WHERE batch = ?", (SUBMITTED, id_)
    )
    return f"{batch}: the next run waits for {id_} and collects it"


def say_not_submitted(folder: RunFolder, batch: str) -> str:
    """The user looked, and it is not there: the next run asks for its draws anew."""
    left = _end(folder, batch, (BUILT, SUBMITTING), NOT_SUBMITTED)
    return f"{batch}: the next run asks for its {left:,} draws anew"


def give_up(folder: RunFolder, batch: str) -> str:
    """The user wants its draws asked anew, whatever the batch has cost."""
    left = _end(folder, batch, (BUILT, SUBMITTING, SUBMITTED, COLLECTED), GIVEN_UP)
    return f"{batch}: given up; what it cost is lost, and the next run asks for its {left:,} draws anew, at their price"


def _end(folder: RunFolder, batch: str, states: tuple[str, ...], state: str) -> int:
    sql = "UPDATE batches SET state = ?, ended = ? WHERE batch = ?"
    return _change(folder, batch, states, sql, (state, time.time()), drop=True)


def _change(
    folder: RunFolder,
    batch: str,
    states: tuple[str, ...],
    sql: str,
    values: tuple[str | float, ...],
    *,
    drop: bool = False,
) -> int:
    """Change one batch, and drop its draws if so asked; gives how many it had. Raises StageError for one in another state."""
    if not folder.journal.exists():
        raise StageError(f"{folder.path}: no run folder of cbtrun (there is no {folder.journal.name} in it)")
    with folder.locked(), closing(connect(folder.journal)) as connection, told(folder.journal), connection:
        kept = next((one for one in batches_in(connection) if one.batch == batch), None)
        if kept is None:
            known = ", ".join(one.batch for one, _ in pending_batches(connection)) or "none"
            raise StageError(f"no batch '{batch}' in {folder.journal}; waiting: {known}")
        if kept.state not in states:
            raise StageError(f"batch {batch} is '{kept.state}': this can be said of one that is {' or '.join(states)}")
        left = unanswered_in(connection, batch)
        connection.execute(sql, (*values, batch))
        if drop:
            connection.execute("DELETE FROM draws WHERE batch = ?", (batch,))
        return left
