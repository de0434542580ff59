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

from cbtrun.errors import StageError
from cbtrun.journal import Call, Fault, Journal, StageMark
from cbtrun.models import Reply


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
from cbtrun.journal import Call, Journal
from cbtrun.models import Reply
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
