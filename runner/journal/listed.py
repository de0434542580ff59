"""Every call of a journal, one after the other, for whoever looks at them: in a run folder that may still be written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from cbtrun.journal.columns import LAST_MOMENT, cast_of
from cbtrun.journal.exported_file import FIELDS
from cbtrun.journal.tables import columns_there, has_column, has_table

FAULTS = ("key", "stage", "model", "role", "error", "label", "kind", "tries")
COUNTS = ("tokens_in", "tokens_out", "cached", "written", "thought")


def calls_listed(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Each kept reply by the names of an export's fields, with `about`, in the order in which they came; of any format."""
    about = ids_of_calls(connection)
    columns = ", ".join(columns_there(connection, FIELDS))
    query = f"SELECT {', '.join(map(cast_of, FIELDS))} FROM (SELECT {columns} FROM calls) ORDER BY at, key"
    for row in connection.execute(query):
        call = dict(zip(FIELDS, row, strict=True))
        bounded = {name: max(0, call[name]) for name in COUNTS}
        yield {**call, **bounded, "at": min(max(call["at"], 0.0), LAST_MOMENT), "about": about.get(call["key"], ())}


def ids_of_calls(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """Key -> ids of the session, persona or transcript whose words the call holds, where the journal notes them."""
    found: dict[str, tuple[str, ...]] = {}
    if has_table(connection, "about"):
        for key, id in connection.execute(f"SELECT {cast_of('key')}, {cast_of('id')} FROM about ORDER BY key, id"):
            found[key] = (*found.get(key, ()), id)
    return found


def faults_listed(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Each call that failed, as the table has it; what a file of an earlier format lacks is left out."""
    there = [name for name in FAULTS if has_column(connection, "faults", name)]
    for row in connection.execute(f"SELECT {', '.join(map(cast_of, there))} FROM faults ORDER BY rowid"):
        yield dict(zip(there, row, strict=True))
