"""Rows of the frame of calls: of a journal in its run folder, or of an export that somebody sent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from cbtrun.errors import StageError
from cbtrun.frames.run_records import RunRecords
from cbtrun.journal.batch_book import BATCH
from cbtrun.journal.columns import MOST
from cbtrun.journal.exported_file import FIELDS, exported
from cbtrun.journal.listed import calls_listed, faults_listed
from cbtrun.journal.tables import connect_to_read
from cbtrun.journal.trouble import told

Row = dict[str, Any]
RETRIED = ("fault", "limited")
"""Kinds of failed tries that were made again."""


def call_rows(run: RunRecords) -> Iterator[Row]:
    """A row a kept reply, in the order in which they came, then one a call that failed."""
    path = run.folder.journal
    if not path.exists():
        raise StageError(
            f"{run.folder.path}: there is no {path.name} in it; a journal's export is read by its own path"
        )
    sessions, personas = frozenset(run.session_ids), run.persona_ids
    with closing(connect_to_read(path)) as connection, told(path):
        for call in calls_listed(connection):
            yield _answered(call, sessions, personas)
        yield from map(_failed, faults_listed(connection))


def exported_rows(path: Path) -> Iterator[Row]:
    """A row a call of an export. Raises StageError for a file that is none, or was changed since it was written."""
    for _, entry in exported(path):
        if isinstance(entry, list):
            yield _answered(dict(zip(FIELDS, entry, strict=True)), frozenset(), frozenset())


def _answered(call: Mapping[str, Any], sessions: Collection[str], personas: Collection[str]) -> Row:
    about = tuple(call.get("about", ()))
    return {
        **{name: call[name] for name in ("key", "stage", "model", "role", "attempt", "tokens_in", "tokens_out")},
        "usd": None if call["usd"] is None else _bounded(call["usd"]),
        "seconds": _bounded(call["seconds"]),
        "text": call["text"],
        **{name: call[name] or None for name in ("arm", "finish", "at", "served", "fingerprint", "thinking")},
        "state": "answered",
        "tries": 1,
        "tokens_cached": call["cached"],
        "tokens_written": call["written"],
        "tokens_thought": call["thought"],
        "batched": call["bought"] == BATCH,
        "about": about,
        "session": _only(about, sessions),
        "persona": _only(about, personas),
    }


def _bounded(amount: float) -> float:
    """A cost or a time as sums count it: a stranger's journal may hold one below zero."""
    return min(max(amount, 0.0), MOST)


def _only(about: tuple[str, ...], known: Collection[str]) -> str | None:
    """The id among those known, where there is just one."""
    found = [one for one in about if one in known]
    return found[0] if len(found) == 1 else None


def _failed(fault: Mapping[str, Any]) -> Row:
    return {
        **{name: fault[name] for name in ("key", "stage", "model", "role")},
        "state": "retried" if fault.get("kind") in RETRIED else "failed",
        "reason": fault["error"],
        "tries": max(1, fault.get("tries", 1)),
        "arm": fault.get("label") or None,
    }
