"""The journal's tables, and how its file is opened, checked and brought to this version's format."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from cbtrun.errors import StageError
from cbtrun.files.disks import disk_of
from cbtrun.files.plain_files import strange
from cbtrun.journal.trouble import DAMAGE, code_of, damaged, told

FORMAT = 6

TABLES = """
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY, stage TEXT NOT NULL, model TEXT NOT NULL, role TEXT NOT NULL, attempt INTEGER NOT NULL,
    text TEXT NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, finish TEXT NOT NULL, usd REAL,
    seconds REAL NOT NULL, served TEXT NOT NULL DEFAULT '', thinking TEXT NOT NULL DEFAULT '',
    fingerprint TEXT NOT NULL DEFAULT '', asked TEXT NOT NULL DEFAULT '', arm TEXT NOT NULL DEFAULT '',
    at REAL NOT NULL DEFAULT 0, cached INTEGER NOT NULL DEFAULT 0, written INTEGER NOT NULL DEFAULT 0,
    thought INTEGER NOT NULL DEFAULT 0, bought TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS faults (
    key TEXT NOT NULL, stage TEXT NOT NULL, model TEXT NOT NULL, role TEXT NOT NULL, error TEXT NOT NULL,
    label TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL DEFAULT 'refused', tries INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE IF NOT EXISTS stages (
    stage TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, output TEXT NOT NULL, units INTEGER NOT NULL,
    code TEXT NOT NULL DEFAULT '', version TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS about (key TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (key, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (started REAL PRIMARY KEY, last REAL NOT NULL);
CREATE TABLE IF NOT EXISTS models (
    name TEXT NOT NULL, block TEXT NOT NULL, identity TEXT NOT NULL, code TEXT NOT NULL, plugin TEXT NOT NULL,
    version TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (name, block, identity, code)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outcomes (
    stage TEXT PRIMARY KEY, said TEXT NOT NULL, output TEXT NOT NULL, units INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sizes (prompt TEXT PRIMARY KEY, tokens INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    batch TEXT PRIMARY KEY, vendor TEXT NOT NULL, server TEXT NOT NULL, stage TEXT NOT NULL, model TEXT NOT NULL,
    asked TEXT NOT NULL, state TEXT NOT NULL, id TEXT NOT NULL, file TEXT NOT NULL, digest TEXT NOT NULL,
    size INTEGER NOT NULL, done INTEGER NOT NULL, usd REAL, made REAL NOT NULL, sent REAL NOT NULL, ended REAL NOT NULL,
    note TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS draws (
    key TEXT PRIMARY KEY, batch TEXT NOT NULL, about TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
"""
UPGRADES: Mapping[int, str] = {
    1: """ALTER TABLE calls ADD COLUMN served TEXT NOT NULL DEFAULT '';
          ALTER TABLE faults ADD COLUMN label TEXT NOT NULL DEFAULT '';
          ALTER TABLE faults ADD COLUMN kind TEXT NOT NULL DEFAULT 'refused';""",
    2: """ALTER TABLE stages ADD COLUMN code TEXT NOT NULL DEFAULT '';
          ALTER TABLE stages ADD COLUMN version TEXT NOT NULL DEFAULT '';""",
    3: "ALTER TABLE calls ADD COLUMN thinking TEXT NOT NULL DEFAULT '';",
    4: """ALTER TABLE calls ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
          ALTER TABLE calls ADD COLUMN asked TEXT NOT NULL DEFAULT '';
          ALTER TABLE calls ADD COLUMN arm TEXT NOT NULL DEFAULT '';
          ALTER TABLE calls ADD COLUMN at REAL NOT NULL DEFAULT 0;
          ALTER TABLE faults ADD COLUMN tries INTEGER NOT NULL DEFAULT 1;""",
    # Besides, five tables more, which `TABLES` makes.
    5: """ALTER TABLE calls ADD COLUMN cached INTEGER NOT NULL DEFAULT 0;
          ALTER TABLE calls ADD COLUMN written INTEGER NOT NULL DEFAULT 0;
          ALTER TABLE calls ADD COLUMN thought INTEGER NOT NULL DEFAULT 0;
          ALTER TABLE calls ADD COLUMN bought TEXT NOT NULL DEFAULT '';""",
}
"""Format -> what makes it the next one."""
EARLIER = (
    *(",cachedintegernotnulldefault0", ",writtenintegernotnulldefault0"),
    *(",thoughtintegernotnulldefault0", ",boughttextnotnulldefault''"),
    *(",fingerprinttextnotnulldefault''", ",askedtextnotnulldefault''"),
    *(",armtextnotnulldefault''", ",atrealnotnulldefault0"),
    *(",triesintegernotnulldefault1", ",thinkingtextnotnulldefault''"),
    *(",servedtextnotnulldefault''", ",labeltextnotnulldefault''", ",kindtextnotnulldefault'refused'"),
    *(",codetextnotnulldefault''", ",versiontextnotnulldefault''"),
)
"""Columns that earlier formats lack, as `_bare` writes them; those of later formats first."""
EMPTY, LACKING = "''", dict.fromkeys(("at", "cached", "written", "thought"), "0")
"""What stands for a column of `calls` that a file of an earlier format lacks."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the journal at `path`, made or brought to this format if need be.

    WAL with `synchronous=FULL`: each commit is on the disk before it returns, also through a power cut. On a disk that
    several machines write, a rollback journal instead: WAL rests on memory of one machine. Raises StageError when the file is damaged, of a later format or holds what no journal does, StopRun when the disk refuses.
    """
    refuse_strange_journal(path)
    with told(path):
        connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
        shared = disk_of(path).shared
        if shared:  # a journal that is in WAL yet is opened without the shared memory
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        _trust_nothing(connection, path)
        # TRUNCATE and not DELETE: that a file is short is synced, that it is gone is not.
        connection.execute(f"PRAGMA journal_mode={'TRUNCATE' if shared else 'WAL'}")
        if shared:
            connection.execute("PRAGMA locking_mode=NORMAL")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # lets go of the lock
        connection.execute("PRAGMA synchronous=FULL")
        _upgrade(connection, path)
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing, also where nothing could be written: on a full disk or in a read-only folder.

    Raises as `connect` does.
    """
    refuse_strange_journal(path)
    with told(path):
        connection = _read_only(path, "mode=ro")
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            connection.close()
            connection = _read_otherwise(path)
        _trust_nothing(connection, path)
        connection.execute("PRAGMA query_only=ON")
    return connection


def _read_otherwise(path: Path) -> sqlite3.Connection:
    """A connection where SQLite would have to write before it reads. Raises sqlite3.Error where nothing else can be done."""
    if _size(
        path, "-journal"
    ):  # half a commit: of a driver that was killed, or of one at work whose locks end at its machine
        return _undone_copy(path)
    if _size(path, "-wal"):  # what is in it would be missed
        connection = _read_only(path, "mode=ro")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return connection
    return _read_only(
        path, "immutable=1"
    )  # there is no room for SQLite's shared memory, and nobody writes: it can do without


def _undone_copy(path: Path) -> sqlite3.Connection:
    """The journal as it was before half a commit, in memory: only the driver may undo it in the file itself."""
    connection = sqlite3.connect(":memory:")
    with TemporaryDirectory() as made:
        copy = Path(made) / path.name
        for end in ("", "-journal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{path}{end}", f"{copy}{end}")
        with closing(sqlite3.connect(copy)) as undone:
            undone.backup(connection)
    return connection


def _size(path: Path, end: str) -> int:
    try:
        return Path(f"{path}{end}").stat().st_size
    except OSError:
        return 0


def columns_there(connection: sqlite3.Connection, columns: Sequence[str]) -> list[str]:
    """The columns of `calls` as a query names them; an empty value for one that this file, of an earlier format, lacks."""
    there = {name for name in columns if has_column(connection, "calls", name)}
    return [name if name in there or not there else f"{LACKING.get(name, EMPTY)} AS {name}" for name in columns]


def has_table(connection: sqlite3.Connection, table: str) -> bool:
    """Whether this file has a table: one of an earlier format that is only read may not."""
    known = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
    return bool(connection.execute(known, (table,)).fetchone()[0])


def has_column(connection: sqlite3.Connection, table: str, column: str) -> bool:
    """Whether this file's table has a column: one of an earlier format that is only read may not."""
    known = "SELECT count(*) FROM pragma_table_info(?) WHERE name = ?"
    return bool(connection.execute(known, (table, column)).fetchone()[0])


def _read_only(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True)


def refuse_strange_journal(path: Path) -> None:
    """Raises StageError when the journal or a file beside it is a link, a pipe, or has a second name."""
    for end in ("", "-wal", "-shm", "-journal"):
        file = Path(f"{path}{end}")
        try:
            found = file.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        if what := strange(found, Path(f"journal.sqlite{end}")):
            raise StageError(f"{file} is {what}; a journal is a plain file with a single name")


def _trust_nothing(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StageError when a journal holds triggers, views or tables that we did not make: they would run with ours."""
    connection.execute("PRAGMA trusted_schema=OFF")
    _format(connection, path)
    known = _schema(TABLES)
    for kind, name, table, sql in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"):
        own = kind == "index" and sql is None and table in known
        if not own and (kind != "table" or _bare(sql) not in known.get(name, ())):
            raise StageError(
                f"{path}: holds {kind} '{str(name)[:60]}', which is not of this version's journals; it is not read"
            )


@cache
def _schema(tables: str) -> dict[str, tuple[str, ...]]:
    """Table -> how it may be written down: made new, and in each earlier format."""
    made = sqlite3.connect(":memory:")
    made.executescript(tables)
    found = {name: _bare(sql) for name, sql in made.execute("SELECT name, sql FROM sqlite_master WHERE type='table'")}
    made.close()
    forms = {name: [form] for name, form in found.items()}
    for column in EARLIER:
        for known in forms.values():
            known.append(known[-1].replace(column, ""))
    return {name: tuple(known) for name, known in forms.items()}


def _bare(sql: object) -> str:
    """A definition without what does not matter: white space and case."""
    return "".join(str(sql).split()).casefold()


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    found = _format(connection, path)
    if found == FORMAT:
        return
    steps = "".join(UPGRADES[old] for old in range(found, FORMAT)) if found else ""
    connection.executescript(f"BEGIN IMMEDIATE; {steps} {TABLES} PRAGMA user_version={FORMAT}; COMMIT;")


def _format(connection: sqlite3.Connection, path: Path) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found not in (0, FORMAT, *UPGRADES):
        raise StageError(f"{path}: written by another version of cbtrun (format {found}, this one reads {FORMAT})")
    return found


def faults_in_file(connection: sqlite3.Connection, *, thorough: bool = False) -> list[str]:
    """What is broken in the file, in SQLite's words; empty when it is sound. thorough: compares indexes with tables."""
    check = "integrity_check" if thorough else "quick_check"
    try:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA {check}(20)")]
    except sqlite3.DatabaseError as error:
        if code_of(error) not in (*DAMAGE, None):
            raise
        return [str(error)]
    return [] if found == ["ok"] else found


def check_file(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StageError when the file is damaged, StopRun when the disk refuses."""
    with told(path):
        if found := faults_in_file(connection):
            raise damaged(path, found[0])
