"""Replies as the journal keeps them, with what they were counted as: read on request, for whoever looks into a run."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cbtrun.journal.tables import columns_there, connect_to_read
from cbtrun.journal.trouble import told

COLUMNS = (
    *("role", "model", "arm", "attempt", "text", "thinking", "tokens_in", "tokens_out"),
    *("finish", "seconds", "served", "at", "key"),
)


@dataclass(frozen=True)
class KeptReply:
    """One reply, word for word."""

    role: str
    model: str
    arm: str
    """Whose call it was; empty where it was no arm's, or an earlier version noted none."""
    attempt: int
    text: str
    thinking: str
    tokens_in: int
    tokens_out: int
    finish: str
    seconds: float
    served: str
    """The model that answered, as the reply stated it."""
    at: float
    """Seconds since 1970; 0 where an earlier version noted none."""
    key: str
    """Digest of the request and of all else that decided the reply."""


def replies_about(journal: Path, *ids: str) -> list[KeptReply]:
    """Replies about any of the ids (of sessions, personas), oldest first. Empty without a journal. Raises StageError."""
    if not journal.exists():
        return []
    with closing(connect_to_read(journal)) as connection, told(journal):
        columns, marks = ", ".join(columns_there(connection, COLUMNS)), ", ".join("?" * len(ids))
        query = f"SELECT {columns} FROM calls WHERE key IN (SELECT key FROM about WHERE id IN ({marks}))"
        found = [KeptReply(*row) for row in connection.execute(query, ids)]
    return sorted(found, key=lambda one: (one.at, one.key))
