"""The journal's tables, and how its file is opened, checked and brought to this version's format."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from cbtrun.errors import StageError, StopRun

FORMAT = 3

TABLES = """
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY, stage TEXT NOT NULL, model TEXT NOT NULL, role TEXT NOT NULL, attempt INTEGER NOT NULL,
    text TEXT NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, finish TEXT NOT NULL, usd REAL,
    seconds REAL NOT NULL, served TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS faults (
    key TEXT NOT NULL, stage TEXT NOT NULL, model TEXT NOT NULL, role TEXT NOT NULL, error TEXT NOT NULL,
    label TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL DEFAULT 'refused'
);
CREATE TABLE IF NOT EXISTS stages (
    stage TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, output TEXT NOT NULL, units INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS about (key TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (key, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (started REAL PRIMARY KEY, last REAL NOT NULL);
"""
UPGRADES: Mapping[int, str] = {
    1: """ALTER TABLE calls ADD COLUMN served TEXT NOT NULL DEFAULT '';
          ALTER TABLE faults ADD COLUMN label TEXT NOT NULL DEFAULT '';
          ALTER TABLE faults ADD COLUMN kind TEXT NOT NULL DEFAULT 'refused';""",
    2: "",  # TABLES makes what is new
}
"""Format -> what makes it the next one."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the journal at `path`, made or brought to this format if need be.

    WAL with `synchronous=FULL`: each commit is on the disk before it returns, also through a power cut. Raises
    StageError when the file is damaged or of a later format, StopRun when the disk refuses.
    """
    try:
        connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        _upgrade(connection, path)
    except sqlite3.DatabaseError as error:
        if any(word in str(error) for word in ("full", "readonly", "unable to open", "locked")):
            raise StopRun(f"{path}: cannot be written ({error})") from error
        raise _damaged(path, str(error)) from error
    return connection


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found == FORMAT:
        return
    if found not in (0, *UPGRADES):
        raise StageError(f"{path}: written by another version of cbtrun (format {found}, this one reads {FORMAT})")
    steps = "".join(UPGRADES[old] for old in range(found, FORMAT)) if found else ""
    connection.executescript(f"BEGIN IMMEDIATE; {steps} {TABLES} PRAGMA user_version={FORMAT}; COMMIT;")


def faults_in_file(connection: sqlite3.Connection, *, thorough: bool = False) -> list[str]:
    """What is broken in the file, in SQLite's words; empty when it is sound. thorough: compares indexes with tables."""
    check = "integrity_check" if thorough else "quick_check"
    try:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA {check}(20)")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def check_file(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StageError when the file is damaged."""
    if found := faults_in_file(connection):
        raise _damaged(path, found[0])


def _damaged(path: Path, what: str) -> StageError:
    return StageError(
        f"{path}: damaged or not a journal ({what}); `cbtrun journal export` saves what can be read, "
        "or move it away to start afresh"
    )
