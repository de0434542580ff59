"""The journal keeps what was paid for."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cbtrun.contract.models import Reply
from cbtrun.errors import StageError
from cbtrun.journal.journal import Call, Fault, Journal, StageMark


def call(key: str, text: str = "hello") -> Call:
    reply = Reply(text, tokens_in=3, tokens_out=2, finish="stop", usd=0.5)
    return Call(key, "sessions", "patient", "patient", 1, reply, seconds=0.1)


def test_a_kept_reply_is_found_again_as_it_was(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal:
        asyncio.run(journal.keep(call("k")))
    with Journal(tmp_path / "j.sqlite") as journal:
        assert journal.find("k") == Reply("hello", 3, 2, "stop", 0.5)
        assert journal.find("other") is None


def test_many_coroutines_share_few_commits(tmp_path: Path) -> None:
    async def keep_all(journal: Journal) -> None:
        await asyncio.gather(*(journal.keep(call(f"k{number}")) for number in range(500)))

    with Journal(tmp_path / "j.sqlite") as journal:
        asyncio.run(keep_all(journal))
        assert journal.count() == 500


def test_a_kept_reply_survives_a_kill_right_after_keep_returned(tmp_path: Path) -> None:
    program = f"""
import asyncio, os, signal
from pathlib import Path
from cbtrun.journal.journal import Call, Journal
from cbtrun.contract.models import Reply
async def main():
    await Journal(Path({str(tmp_path / "j.sqlite")!r})).keep(Call("k", "s", "m", "r", 1, Reply("paid"), 0.0))
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False, env=os.environ)
    assert ended.returncode == -signal.SIGKILL
    with Journal(tmp_path / "j.sqlite") as journal:
        found = journal.find("k")
    assert found is not None
    assert found.text == "paid"


def test_a_fault_is_never_found_as_an_answer(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.keep_fault(Fault("k", "sessions", "patient", "patient", "server said no"))
        assert journal.find("k") is None


def test_a_stage_mark_can_be_set_read_and_taken_back(tmp_path: Path) -> None:
    mark = StageMark("fingerprint", "output", 3)
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.mark_stage("ratings.ctrs", mark)
        assert journal.stage("ratings.ctrs") == mark
        journal.unmark_stage("ratings.ctrs")
        assert journal.stage("ratings.ctrs") is None


def test_a_journal_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StageError, match="format 99"):
        Journal(path)


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    path.write_text("this is not a database, whatever its name says, and it is long enough to tell" * 20)
    with pytest.raises(StageError, match="damaged or not a journal"):
        Journal(path)


def test_usage_sums_calls_tokens_and_cost(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal:
        asyncio.run(journal.keep(call("a")))
        asyncio.run(journal.keep(call("b")))
        (usage,) = journal.usage()
    assert (usage.calls, usage.tokens_in, usage.tokens_out, usage.usd) == (2, 6, 4, 1.0)


def test_a_journal_of_the_format_before_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        """CREATE TABLE calls (key TEXT PRIMARY KEY, stage TEXT NOT NULL, model TEXT NOT NULL, role TEXT NOT NULL,
             attempt INTEGER NOT NULL, text TEXT NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,
             finish TEXT NOT NULL, usd REAL, seconds REAL NOT NULL) WITHOUT ROWID;
           CREATE TABLE faults (key TEXT NOT NULL, stage TEXT NOT NULL, model TEXT NOT NULL, role TEXT NOT NULL,
             error TEXT NOT NULL);
           CREATE TABLE stages (stage TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, output TEXT NOT NULL,
             units INTEGER NOT NULL) WITHOUT ROWID;
           INSERT INTO calls VALUES ('k', 's', 'm', 'r', 1, 'hello', 3, 2, 'stop', 0.5, 0.1);
           PRAGMA user_version=1;"""
    )
    connection.close()
    with Journal(path) as journal:
        assert journal.find("k") == Reply("hello", 3, 2, "stop", 0.5)
        asyncio.run(journal.keep(call("new")))
        assert journal.count() == 2


def test_many_rows_in_one_commit_are_each_kept_as_they_were(tmp_path: Path) -> None:
    texts = {f"k{number}": f"text {number} \u2028 \x00 \U0001f600" for number in range(150)}

    async def keep_all(journal: Journal) -> None:
        await asyncio.gather(*(journal.keep(call(key, text)) for key, text in texts.items()))

    with Journal(tmp_path / "j.sqlite") as journal:
        asyncio.run(keep_all(journal))
        found = {key: journal.find(key) for key in texts}
    assert {key: reply and reply.text for key, reply in found.items()} == texts


def test_retries_are_counted_by_stage_and_label(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal:
        for label, kind in (("cbt", "fault"), ("cbt", "limited"), ("none", "fault"), ("none", "refused")):
            journal.keep_fault(Fault("k", "sessions", "m", "therapist", "500", label, kind))
    with Journal(tmp_path / "j.sqlite") as journal:
        assert journal.retries() == {"sessions": {"cbt": 2, "none": 1}}


def test_the_time_that_runs_took_adds_up(tmp_path: Path) -> None:
    for _ in range(2):
        with Journal(tmp_path / "j.sqlite") as journal:
            before = journal.spent().seconds
            journal.start_run()
            asyncio.run(journal.keep(call("k")))
    with Journal(tmp_path / "j.sqlite") as journal:
        assert journal.spent().seconds > before > 0
        assert journal.spent().tokens == 5
