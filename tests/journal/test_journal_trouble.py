"""A disk that refuses is not a damaged journal, and of a damaged journal what can be read is saved."""

import gzip
import json
import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from cbtrun.errors import StageError, StopRun
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.exchange import check_journal, export_journal
from cbtrun.journal.tables import connect, connect_to_read
from cbtrun.journal.trouble import told, trouble

CALLS = 400
Damage = Callable[[Path], None]


def a_call(at: int) -> tuple[object, ...]:
    return (
        f"{at * 2**250 // CALLS:064x}",
        "sessions",
        "m",
        "patient",
        1,
        f"Reply {at}. " * 30,
        5,
        7,
        "stop",
        None,
        0.5,
        "",
        "",
    )


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run folder with a journal of calls."""
    connection = connect(tmp_path / "journal.sqlite")
    with connection:
        connection.executemany(
            "INSERT INTO calls VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,'','','',0,0,0,0,'')", map(a_call, range(CALLS))
        )
    connection.close()
    return RunFolder(tmp_path)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may grow over 40 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40 * 1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def refusal(words: str, code: int | None = None) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(words)
    if code is not None:
        error.sqlite_errorcode = code  # type: ignore[misc]
    return error


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("disk I/O error", 4874),  # SQLITE_IOERR_SHMSIZE: no room for shared memory
        ("disk I/O error", None),
        ("database or disk is full", sqlite3.SQLITE_FULL),
        ("unable to open database file", sqlite3.SQLITE_CANTOPEN),
    ],
)
def test_a_full_disk_is_told_as_one_and_stops_the_run_with_exit_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, code: int | None
) -> None:
    full = os.statvfs_result((4096, 4096, 1000, 7, 7, 100, 50, 50, 0, 255))
    monkeypatch.setattr("cbtrun.journal.trouble.os.statvfs", lambda _: full)
    found = trouble(tmp_path / "journal.sqlite", refusal(words, code))
    assert isinstance(found, StopRun)
    assert (
        str(found) == f"{tmp_path}/journal.sqlite: no room (28 KiB free); nothing in the journal is lost. "
        "Free some space and run the same command again"
    )


@pytest.mark.parametrize("words", ["attempt to write a readonly database", "database is locked", "disk I/O error"])
def test_no_refusal_of_a_disk_is_called_damage(tmp_path: Path, words: str) -> None:
    found = trouble(tmp_path / "journal.sqlite", refusal(words))
    assert (type(found), "damaged or" in str(found), "move it away" in str(found)) == (StopRun, False, False)


@pytest.mark.parametrize(
    "words", ["database disk image is malformed", "file is not a database", "no such table: calls"]
)
def test_damage_is_called_damage(tmp_path: Path, words: str) -> None:
    assert isinstance(trouble(tmp_path / "journal.sqlite", refusal(words)), StageError)


def test_a_limit_on_the_size_of_files_is_named(folder: RunFolder, small_files: None) -> None:
    def write() -> None:
        with closing(connect(folder.journal)) as connection, told(folder.journal), connection:
            connection.execute("UPDATE calls SET text = text || text")

    with pytest.raises(StopRun, match=r"files may have 40,960 bytes, `ulimit -f`"):
        write()


def test_a_sound_journal_is_read_where_nothing_can_be_written(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sqlite3.connect

    def without_shared_memory(name: str, **options: object) -> sqlite3.Connection:
        if "mode=ro" in name:
            return real("file:/nowhere/at/all?mode=ro", uri=True)
        return real(name, **options)  # type: ignore[call-overload, no-any-return]

    class Refused:
        def execute(self, *_: object) -> None:
            raise refusal("disk I/O error", 4874)

        def close(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr(
        "cbtrun.journal.tables.sqlite3.connect",
        lambda name, **options: Refused() if "mode=ro" in name else without_shared_memory(name, **options),
    )
    assert connect_to_read(folder.journal).execute("SELECT count(*) FROM calls").fetchone() == (CALLS,)


def zero_a_leaf(path: Path) -> None:
    """Lose a page that holds calls and leads to no others, wherever the tables have put it."""
    content = path.read_bytes()
    leaves = [at for at in range(15 * 4096, len(content), 4096) if content[at] == 0x0A]  # a leaf of an index
    zero(leaves[0], 4096)(path)


def zero(start: int, size: int) -> Damage:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(start)
            file.write(bytes(size))

    return damage


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


def bad_text(path: Path) -> None:
    content = path.read_bytes()
    assert b"Reply 200. " in content
    path.write_bytes(content.replace(b"Reply 200. ", b"Reply \xff\xfe0. ", 1))


@pytest.mark.parametrize(
    ("damage", "least"),
    [
        (zero_a_leaf, CALLS * 0.9),
        (zero(0, 100), CALLS * 0.99),
        (zero(0, 4096), CALLS * 0.99),
        (cut, CALLS * 0.3),
        (bad_text, CALLS - 1),
    ],
    ids=["a page", "the head", "the first page", "half of it cut off", "a byte that is no text"],
)
def test_what_can_be_read_of_a_damaged_journal_is_saved(folder: RunFolder, damage: Damage, least: float) -> None:
    damage(folder.journal)
    with suppress(StageError):  # where not even its tables can be read
        assert check_journal(folder)
    target = folder.path / "out.gz"
    found = export_journal(folder, target)
    lines = [json.loads(line) for line in gzip.decompress(target.read_bytes()).splitlines()]
    keys = [line["key"] for line in lines[1:-1]]
    assert found.calls == lines[-1]["calls"] == len(keys) == len(set(keys))
    assert least <= found.calls < CALLS + (damage is not bad_text)
    assert found.unreadable + found.gaps or found.calls == CALLS
    assert all(line["key"] in {a_call(at)[0] for at in range(CALLS)} for line in lines[1:-1])


def test_check_says_that_a_call_is_no_text(folder: RunFolder) -> None:
    bad_text(folder.journal)
    assert check_journal(folder) == ["1 calls hold bytes that are no text (UTF-8)"]


def test_a_file_in_which_nothing_can_be_read_gives_no_export(folder: RunFolder) -> None:
    folder.journal.write_bytes(os.urandom(50_000))
    with pytest.raises(StageError, match="nothing in it can be read; no file was written"):
        export_journal(folder, folder.path / "out.gz")
    assert not (folder.path / "out.gz").exists()


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON calls BEGIN DELETE FROM calls; END", "trigger 't'"),
        ("CREATE VIEW v AS SELECT 1", "view 'v'"),
        ("CREATE TABLE more (x)", "table 'more'"),
        ("CREATE INDEX i ON calls (text)", "index 'i'"),
        (
            "DROP TABLE runs; CREATE TABLE runs (started REAL PRIMARY KEY, last REAL AS (started) STORED)",
            "table 'runs'",
        ),
        ("DROP TABLE calls; CREATE VIEW calls AS SELECT 1 AS key", "view 'calls'"),
    ],
)
def test_a_journal_with_more_in_it_than_ours_is_neither_read_nor_written(
    folder: RunFolder, sql: str, what: str
) -> None:
    sqlite3.connect(folder.journal).executescript(sql)
    for door in (connect, connect_to_read):
        with pytest.raises(StageError, match=f"holds {what}, which is not of this version's journals"):
            door(folder.journal)


def test_a_folder_with_any_name_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=rwc#50%25 ü" / "journal.sqlite"
    path.parent.mkdir()
    connect(path).close()
    assert connect_to_read(path).execute("SELECT count(*) FROM calls").fetchone() == (0,)
