"""On a disk that several machines write, the journal keeps no WAL and loses nothing that was committed, whenever it is killed."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from cbtrun.contract.models import Reply
from cbtrun.errors import StopRun
from cbtrun.journal.journal import Call, Journal
from cbtrun.journal.tables import connect, connect_to_read

WRITES = """
import asyncio, sys
from pathlib import Path
from cbtrun.contract.models import Reply
from cbtrun.journal.journal import Call, Journal

async def all_of(journal, start):
    for at in range(start, start + 5000):
        call = Call(f"{at:064}", "sessions", "m", "patient", 1, Reply("Yes. " * 200, 1, 1, "stop"), 0.1)
        await journal.keep(call)
        print(at, flush=True)

with Journal(Path("journal.sqlite")) as journal:
    asyncio.run(all_of(journal, journal.count()))
"""


@pytest.fixture(autouse=True)
def on_a_network_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CBTRUN_DISK", "network")


def a_call(at: int) -> Call:
    return Call(f"{at:064}", "sessions", "m", "patient", 1, Reply("Yes.", 1, 1, "stop"), 0.1)


def test_what_was_committed_survives_a_kill_at_any_moment(tmp_path: Path) -> None:
    chance = random.Random(4)
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", WRITES], cwd=tmp_path, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(chance.randint(1, 60))]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (tmp_path / "journal.sqlite-wal").exists()
        with closing(connect_to_read(tmp_path / "journal.sqlite")) as connection:
            assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] >= told[-1] + 1
        with Journal(tmp_path / "journal.sqlite") as journal:
            journal.check()
            assert all(journal.find(f"{at:064}") for at in range(told[-1] + 1))


def test_a_journal_in_wal_leaves_it_on_a_network_disk_and_takes_it_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copy = tmp_path / "journal.sqlite", tmp_path / "copy.sqlite"
    monkeypatch.setenv("CBTRUN_DISK", "local")
    with closing(connect(path)) as open_still:
        open_still.execute("INSERT INTO about VALUES ('key', 'a')")
        open_still.commit()
        for end in ("", "-wal"):  # as after a kill: what was committed lies in the WAL alone
            shutil.copyfile(f"{path}{end}", f"{copy}{end}")
    for disk, mode in (("network", "truncate"), ("local", "wal"), ("network", "truncate")):
        monkeypatch.setenv("CBTRUN_DISK", disk)
        with closing(connect(copy)) as one, closing(connect(copy)) as other:  # as the journal's reader and its writer
            assert one.execute("PRAGMA journal_mode").fetchone() == (mode,)
            other.execute("INSERT OR IGNORE INTO about VALUES ('key', 'b')")
            other.commit()
            assert len(one.execute("SELECT * FROM about").fetchall()) == 2


def test_who_only_looks_reads_what_was_committed_and_undoes_nothing_in_the_file(tmp_path: Path) -> None:
    path, killed = tmp_path / "journal.sqlite", tmp_path / "killed.sqlite"
    with closing(connect(path)) as connection:
        with connection:
            connection.execute("INSERT INTO about VALUES ('kept', 'a')")
        connection.execute("PRAGMA cache_size=1")  # pages of the open transaction go into the file
        rows = [(f"{at}" * 50, "b") for at in range(4000)]
        connection.executemany("INSERT INTO about VALUES (?, ?)", rows)
        for end in ("", "-journal"):
            shutil.copyfile(f"{path}{end}", f"{killed}{end}")
        connection.rollback()
    before = [Path(f"{killed}{end}").read_bytes() for end in ("", "-journal")]
    with closing(connect_to_read(killed)) as reading:
        assert reading.execute("SELECT * FROM about").fetchall() == [("kept", "a")]
    assert [Path(f"{killed}{end}").read_bytes() for end in ("", "-journal")] == before
    with closing(connect(killed)) as writing:
        assert writing.execute("SELECT * FROM about").fetchall() == [("kept", "a")]


@pytest.mark.parametrize("from_look", [1, 2])
def test_a_driver_that_lost_its_lease_commits_nothing(tmp_path: Path, from_look: int) -> None:
    looks = 0

    def lost_from_then() -> None:
        nonlocal looks
        looks += 1
        if looks >= from_look:
            raise StopRun("process 7 on node3 has taken this run over")

    with Journal(tmp_path / "journal.sqlite", lost_from_then) as journal:
        with pytest.raises(StopRun, match="node3 has taken this run over"):
            asyncio.run(journal.keep(a_call(1)))
        assert journal.count() == 0
    assert (tmp_path / "journal.sqlite-journal").stat().st_size == 0
