"""Take replies out of a journal for good: rows, and the pages of the file that held them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbtrun.journal.tables import connect
from cbtrun.journal.trouble import told

if TYPE_CHECKING:
    from cbtrun.files.run_folder import RunFolder


@dataclass(frozen=True)
class Removed:
    """What was removed."""

    theirs: int = 0
    """Replies that were about the person."""
    unknown: int = 0
    """Replies of the same stages that say not whose they are: an earlier version's, or imported ones."""


def remove_replies(folder: RunFolder, ids: Collection[str], stages: Collection[str]) -> Removed:
    """Remove the replies about any of the ids, and those of the stages that nobody can tell apart; shrink the file.

    Faults keep their count and lose their words: a server may have sent back what it was asked.
    """
    if not folder.journal.exists():
        return Removed()
    with closing(connect(folder.journal)) as connection, told(folder.journal):
        connection.execute("PRAGMA secure_delete=ON")  # freed pages are zeroed, not only unlinked
        with connection:
            removed = _remove(connection, ids, stages)
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return removed


def _remove(connection: sqlite3.Connection, ids: Collection[str], stages: Collection[str]) -> Removed:
    connection.execute("CREATE TEMP TABLE theirs (id TEXT PRIMARY KEY)")
    connection.executemany("INSERT OR IGNORE INTO temp.theirs VALUES (?)", [(one,) for one in ids])
    connection.execute("CREATE TEMP TABLE read_by (stage TEXT PRIMARY KEY)")
    connection.executemany("INSERT OR IGNORE INTO temp.read_by VALUES (?)", [(one,) for one in stages])
    about = "key IN (SELECT key FROM about WHERE id IN (SELECT id FROM temp.theirs))"
    unknown = "stage IN (SELECT stage FROM temp.read_by) AND key NOT IN (SELECT key FROM about)"
    connection.execute(f"UPDATE faults SET error = '' WHERE {about} OR ({unknown})")
    untold = connection.execute(f"DELETE FROM calls WHERE {unknown}").rowcount
    theirs = connection.execute(f"DELETE FROM calls WHERE {about}").rowcount
    # What waits at a vendor is not called back; whatever comes for them finds no draw and is kept nowhere.
    read_by = "SELECT batch FROM batches WHERE stage IN (SELECT stage FROM temp.read_by)"
    unasked = f"about IN (SELECT id FROM temp.theirs) OR (about = '' AND batch IN ({read_by}))"
    theirs += connection.execute(f"DELETE FROM draws WHERE {unasked}").rowcount
    connection.execute("DELETE FROM about WHERE id IN (SELECT id FROM temp.theirs)")
    return Removed(theirs, untold)
