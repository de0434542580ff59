"""A copy of a run folder asks before it pays; signals of a cluster end a run like Ctrl-C; a writer that dies ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cbtrun.contract.models import Reply
from cbtrun.errors import StopRun
from cbtrun.journal.journal import Call, Journal
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.testing.projects import StudyProject
from tests.helpers.chat_calls import KEY
from tests.helpers.network_studies import ALLOW, STUDY, listening

CBTRUN = [sys.executable, "-P", "-c", "from cbtrun.cli.main import main; main()"]
MORE = ("--set", "personas.eval.count=4")


@contextmanager
def served() -> Iterator[MockServer]:
    with listening(MockServer()) as server, pytest.MonkeyPatch.context() as patched:
        patched.setenv("MOCK_URL", server.url)
        patched.setenv("MOCK_KEY", KEY)
        yield server


def test_a_copy_asks_before_it_pays_and_not_where_nothing_is_to_be_paid(tmp_path: Path) -> None:
    project = StudyProject(tmp_path)
    project.write("study.yaml", STUDY)
    with served() as server:
        assert project.run("study.yaml", *ALLOW).code == 0
        (tmp_path / "copies").mkdir()
        subprocess.run(["cp", "-a", str(tmp_path / "runs/calls"), str(tmp_path / "copies/calls")], check=True)
        copy = ("study.yaml", *ALLOW, "--runs", "copies")
        paid = server.calls
        assert "Nothing to do" in project.run(*copy).out
        for _ in range(2):
            done = project.run(*copy, *MORE)
            assert (done.code, server.calls) == (2, paid), done
            assert f"copies/calls is a copy of {tmp_path}/runs/calls on this machine" in done.err
            assert "say --take-over" in done.err
        assert project.run(*copy, *MORE, "--take-over").code == 0
        assert server.calls > paid
        assert project.run(*copy, "--set", "personas.eval.count=5").code == 0  # it is the one to go on in from now on


def test_a_folder_that_was_moved_is_no_copy(tmp_path: Path) -> None:
    project = StudyProject(tmp_path)
    project.write("study.yaml", STUDY)
    with served():
        assert project.run("study.yaml", *ALLOW).code == 0
        (tmp_path / "runs").rename(tmp_path / "elsewhere")
        assert project.run("study.yaml", *ALLOW, "--runs", "elsewhere", *MORE).code == 0


@pytest.mark.parametrize(("sent", "ignores_ctrl_c", "code"), [(signal.SIGTERM, True, 4), (signal.SIGHUP, False, 130)])
def test_what_a_cluster_sends_ends_a_run_like_ctrl_c(
    tmp_path: Path, sent: signal.Signals, ignores_ctrl_c: bool, code: int
) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    slow = MockServer(latency=0.3)

    def as_a_cluster_starts_it() -> None:
        signal.signal(sent, signal.SIG_DFL)  # whatever these tests themselves run under, such as nohup
        if ignores_ctrl_c:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    with listening(slow) as server:
        started = subprocess.Popen(
            [*CBTRUN, "study.yaml", *ALLOW, "--set", "arms.two.therapist=rater"],
            cwd=tmp_path,
            env={**os.environ, "MOCK_URL": server.url, "MOCK_KEY": KEY},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=as_a_cluster_starts_it,
        )
        while server.calls < 4 and started.poll() is None:
            time.sleep(0.01)
        started.send_signal(sent)
        _, told = started.communicate(timeout=60)
        assert (started.returncode, "Traceback" in told) == (code, False), told
        assert "Stopped. Kept in runs/calls: " in told
        with Journal(tmp_path / "runs/calls/journal.sqlite") as journal:
            assert journal.count() == server.calls  # what was under way was kept, too


def a_call(at: int) -> Call:
    return Call(f"{at:064}", "sessions", "m", "patient", 1, Reply("Yes.", 1, 1, "stop"), 0.1)


def test_whatever_kills_the_writer_ends_the_run_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keep_two() -> None:
        with Journal(tmp_path / "journal.sqlite") as journal:
            await journal.keep(a_call(1))

            def dies(*_: object) -> None:
                raise SystemExit("out of everything")

            monkeypatch.setattr(journal._writer, "_commit", dies)
            for at in (2, 3):
                with pytest.raises(StopRun, match=r"the journal's writer has ended .*out of everything"):
                    await asyncio.wait_for(journal.keep(a_call(at)), 20)

    asyncio.run(keep_two())
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert journal.count() == 1
