"""What models thought before they spoke, from a journal: read on request, never written anywhere else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cbtrun.contract.thinking import without_thinking
from cbtrun.journal.tables import columns_there, connect_to_read
from cbtrun.journal.trouble import told

COLUMNS = ("role", "model", "text", "thinking", "tokens_out")


@dataclass(frozen=True)
class Thought:
    """One reply with what stood before it."""

    role: str
    model: str
    text: str
    """What was said."""
    thinking: str
    tokens_out: int
    """Tokens of both."""

    @property
    def tokens(self) -> int:
        """Tokens of the thinking, by its share of the characters: servers count both as one."""
        whole = len(self.thinking) + len(self.text)
        return round(self.tokens_out * len(self.thinking) / whole) if whole else 0


def thoughts_about(journal: Path, *ids: str) -> list[Thought]:
    """Replies with thoughts about any of the ids (of sessions, personas). Empty without a journal. Raises StageError."""
    if not journal.exists():
        return []
    with closing(connect_to_read(journal)) as connection, told(journal):
        return list(_found(connection, ids))


def thinkers(journal: Path) -> frozenset[str]:
    """Ids of all that some reply with thoughts is about."""
    if not journal.exists():
        return frozenset()
    with closing(connect_to_read(journal)) as connection, told(journal):
        if "thinking" not in columns_there(connection, COLUMNS):
            return frozenset()
        query = "SELECT DISTINCT id FROM about JOIN calls USING (key) WHERE calls.thinking != ''"
        return frozenset(id_ for (id_,) in connection.execute(query))


def _found(connection: sqlite3.Connection, ids: tuple[str, ...]) -> Iterator[Thought]:
    columns = ", ".join(columns_there(connection, COLUMNS))
    marks = ", ".join("?" * len(ids))
    query = f"SELECT {columns} FROM calls WHERE key IN (SELECT key FROM about WHERE id IN ({marks}))"
    for role, model, text, thinking, tokens_out in connection.execute(query, ids):
        said = without_thinking(text)  # an earlier version kept thinking within the text
        words = "\n".join(one for one in (thinking, said.thinking) if one)
        if words:
            yield Thought(role, model, said.text, words, tokens_out)
