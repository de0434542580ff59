"""The journal: every reply that was paid for, committed before it is used, and which stages are done.

One SQLite file, in WAL mode where its disk is this machine's own. Replies that arrive together share one transaction and one fsync. One thread of one process
writes; any process may read while it runs.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from cbtrun.contract.models import Reply
from cbtrun.journal.batch_book import BATCH, BatchBook
from cbtrun.journal.columns import LAST_MOMENT, WORKED, cast_of, sum_of
from cbtrun.journal.recorded import KeptModel, KeptOutcome, KeptSize, models_in, outcomes_in
from cbtrun.journal.served import Served, served_in
from cbtrun.journal.tables import FORMAT, check_file, connect, has_column
from cbtrun.journal.trouble import told
from cbtrun.journal.writer import CallRow, Change, JournalWriter, Row

__all__ = ["FORMAT", "Call", "Fault", "Journal", "StageMark", "Usage"]

_REPLY = (
    *("text", "tokens_in", "tokens_out", "finish", "usd", "served", "thinking"),
    *("cached", "written", "thought", "bought", "fingerprint"),
)
"""Columns of a reply, by the names of its fields."""
_MARK = ", ".join(map(cast_of, ("fingerprint", "output", "units", "code", "version")))


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
    """Wall time that the call took, waits and failed tries included."""
    about: str = ""
    """Id of the session, persona or transcript whose words it holds, so that they can be taken out; empty where none is."""
    asked: str = ""
    """Digest of what was asked for: the model's identity, so that another model in the study is no drift of this one."""
    arm: str = ""
    """Whom it is counted for: the request's label."""
    at: float = 0.0
    """When the reply came, in seconds since 1970; 0 where nobody noted it."""

    def row(self) -> Row:
        """The call in the order of the table's columns."""
        reply = self.reply
        counts = (reply.text, reply.tokens_in, reply.tokens_out, reply.finish, reply.usd)
        asked = (self.key, self.stage, self.model, self.role, self.attempt)
        drawn_by = (reply.served, reply.thinking, reply.fingerprint, self.asked, self.arm, self.at)
        parts = (reply.cached, reply.written, reply.thought, reply.bought)
        return (*asked, *counts, self.seconds, *drawn_by, *parts)


@dataclass(frozen=True, slots=True)
class Fault:
    """One failed try: kept, counted, and never replayed as an answer."""

    key: str
    stage: str
    model: str
    role: str
    error: str
    label: str = ""
    """Whom it is counted for, such as an arm."""
    kind: str = "refused"
    """`fault` and `limited` were tried again, `moved` on another engine; `refused` was not."""
    tries: int = 1
    """Tries of one call, one after the other, that met the same."""

    def row(self) -> Row:
        """The fault in the order of the table's columns. Half a character in a server's words must not lose it."""
        told = self.error.encode("utf-8", "replace").decode()
        return (self.key, self.stage, self.model, self.role, told, self.label, self.kind, self.tries)


@dataclass(frozen=True)
class StageMark:
    """That a stage was finished, for which inputs, and what it wrote."""

    fingerprint: str
    output: str
    """SHA-256 of the stage's output."""
    units: int
    code: str = ""
    """SHA-256 over the code that decided it; empty in a journal of an earlier version."""
    version: str = ""
    """Version of cbtrun that made it."""


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
    cached: int = 0
    """Of `tokens_in`, tokens that servers had in their caches."""
    batched: int = 0
    """Calls that were bought in batches."""


@dataclass(frozen=True)
class Spent:
    """What a study came to so far, over all its runs."""

    usd: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    """That a run was at work."""


class Journal:
    """An open journal. Use as a context manager; `keep` may be awaited from any number of coroutines."""

    def __init__(self, path: Path, still_ours: Callable[[], None] = lambda: None) -> None:
        """Open or make the journal at `path`. still_ours: raises StopRun when this process may write no more.

        Raises StageError when it is damaged or of another format.
        """
        self._path = path
        self._reader = connect(path)
        self._writer = JournalWriter(path, still_ours)
        self.batches = BatchBook(path, self._reader, self._writer)
        """What was handed to vendors in batches and is not in `calls` yet."""

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is pending and close the file."""
        self._writer.close()
        self._reader.close()

    def check(self) -> None:
        """Raises StageError when the file is damaged."""
        check_file(self._reader, self._path)

    def start_run(self) -> None:
        """Begin to count the time of a run."""
        self._writer.start_run()

    def find(self, key: str) -> Reply | None:
        """The reply kept under a key, or none."""
        rows = self._rows(f"SELECT {', '.join(map(cast_of, _REPLY))} FROM calls WHERE key = ?", key)
        return Reply(**dict(zip(_REPLY, rows[0], strict=True))) if rows else None

    @property
    def folder(self) -> Path:
        """The run folder that it lies in."""
        return self._path.parent

    async def keep(self, call: Call) -> None:
        """Commit a call to disk; one that came in a batch is pending no more. Returns when it is safe.

        Raises StopRun when the disk refuses.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer.put(CallRow(call.row(), done, call.about, call.reply.bought == BATCH))
        await done

    def keep_fault(self, fault: Fault) -> None:
        """Note a failed try with the next commit: in a row of its own, or, where `tries` says that the tries before it met
        the same, in theirs.
        """
        if fault.tries > 1:
            last = "(SELECT rowid FROM faults WHERE key = ? AND kind = ? ORDER BY rowid DESC LIMIT 1)"  # looks from the end
            row = (fault.error, fault.tries, fault.key, fault.kind)
            self._writer.put(Change(f"UPDATE faults SET error = ?, tries = ? WHERE rowid = {last}", row))
        else:
            self._writer.put(Change("INSERT INTO faults VALUES (?, ?, ?, ?, ?, ?, ?, ?)", fault.row()))

    def stage(self, stage: str) -> StageMark | None:
        """The mark of a finished stage, or none."""
        rows = self._rows(f"SELECT {_MARK} FROM stages WHERE stage = ?", stage)
        return StageMark(*rows[0]) if rows else None

    def mark_stage(self, stage: str, mark: StageMark) -> None:
        """Note that a stage is finished."""
        row = (stage, mark.fingerprint, mark.output, mark.units, mark.code, mark.version)
        self._writer.change("INSERT OR REPLACE INTO stages VALUES (?, ?, ?, ?, ?, ?)", row)

    def marks(self) -> dict[str, StageMark]:
        """Stage -> its mark, of every stage that is finished."""
        rows = self._rows(f"SELECT {cast_of('stage')}, {_MARK} FROM stages ORDER BY stage")
        return {stage: StageMark(*mark) for stage, *mark in rows}

    def unmark_stage(self, stage: str) -> None:
        """Note that a stage has to be done again."""
        self._writer.change("DELETE FROM stages WHERE stage = ?", (stage,))

    def models(self) -> list[KeptModel]:
        """What answered under the names of the study, in the order in which they did."""
        with told(self._path):
            return models_in(self._reader)

    def keep_model(self, model: KeptModel) -> None:
        """Note with the next commit what answered under a name."""
        self._writer.put(Change("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?, ?, ?)", model.row()))

    def size(self, prompt: str) -> int | None:
        """Tokens of a prompt that was counted, by its digest; none where nobody counted it."""
        rows = self._rows(f"SELECT {cast_of('tokens')} FROM sizes WHERE prompt = ?", prompt)
        return int(rows[0][0]) if rows else None

    def keep_size(self, size: KeptSize) -> None:
        """Note with the next commit how long a prompt is."""
        self._writer.put(Change("INSERT OR IGNORE INTO sizes VALUES (?, ?)", size.row()))

    def outcomes(self) -> dict[str, KeptOutcome]:
        """Stage -> what it came to, of each tuning."""
        with told(self._path):
            return {one.stage: one for one in outcomes_in(self._reader)}

    def keep_outcome(self, outcome: KeptOutcome) -> None:
        """Note what a tuning came to."""
        self._writer.change("INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?)", outcome.row())

    def count(self) -> int:
        """Completed calls in the journal."""
        return int(self._rows("SELECT count(*) FROM calls")[0][0])

    def usage(self) -> list[Usage]:
        """Calls, tokens, cost and time by stage, model and role, sorted."""
        whose = ", ".join(map(cast_of, ("stage", "model", "role")))
        sums = ", ".join(map(sum_of, ("tokens_in", "tokens_out", "usd", "seconds")))
        more = f"{sum_of('cached')}, total({cast_of('bought')} = '{BATCH}')"
        query = f"SELECT {whose}, count(*), {sums}, {more} FROM calls GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        return [Usage(*row) for row in self._rows(query)]

    def served(self) -> list[Served]:
        """Who answered, by model, name, fingerprint and arm, over all runs."""
        with told(self._path):
            return served_in(self._reader)

    def retries(self) -> dict[str, dict[str, int]]:
        """Stage -> label (an arm, mostly) -> tries that failed and were made again, over all runs; sorted."""
        with told(self._path):
            return retries_in(self._reader)

    def moved(self) -> dict[str, dict[str, int]]:
        """Stage -> label -> calls that were asked again on another engine, over all runs; sorted."""
        with told(self._path):
            return moved_in(self._reader)

    def first_run(self) -> float | None:
        """When the first run began, in seconds since 1970; none before it."""
        found: float | None = self._rows("SELECT min(CAST(started AS REAL)) FROM runs")[0][0]
        return None if found is None else min(max(found, 0.0), LAST_MOMENT)

    def spent(self) -> Spent:
        """What the study came to so far."""
        usd, sent, given = self._rows(
            f"SELECT {', '.join(map(sum_of, ('usd', 'tokens_in', 'tokens_out')))} FROM calls"
        )[0]
        return Spent(usd, sent + given, self._rows(f"SELECT {WORKED} FROM runs")[0][0])

    def _rows(self, query: str, *values: object) -> list[Any]:
        """All rows of a query. Raises StageError when the file is damaged, StopRun when the disk refuses."""
        with told(self._path):
            return self._reader.execute(query, values).fetchall()


def retries_in(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """Stage -> label -> tries that were made again."""
    if not has_column(connection, "faults", "kind"):
        return {}  # of the first format, which kept what failed for good alone
    tries = sum_of("tries") if has_column(connection, "faults", "tries") else "count(*)"
    whose = ", ".join(map(cast_of, ("stage", "label")))
    query = f"SELECT {whose}, {tries} FROM faults WHERE kind NOT IN ('refused', 'moved') GROUP BY 1, 2 ORDER BY 1, 2"
    found: dict[str, dict[str, int]] = {}
    for stage, label, count in connection.execute(query):
        found.setdefault(stage, {})[label] = count
    return found


def moved_in(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """Stage -> label -> calls that lost their engine and were asked again on another."""
    if not has_column(connection, "faults", "kind"):
        return {}
    whose = ", ".join(map(cast_of, ("stage", "label")))
    query = f"SELECT {whose}, count(*) FROM faults WHERE kind = 'moved' GROUP BY 1, 2 ORDER BY 1, 2"
    found: dict[str, dict[str, int]] = {}
    for stage, label, count in connection.execute(query):
        found.setdefault(stage, {})[label] = count
    return found
