"""One driver alone pays, wherever the second one is: two at once, one that was paused, one that was killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cbtrun.contract.digests import tree_digest
from cbtrun.journal.tables import connect_to_read
from cbtrun.plugins.mock_server.answers import default_answer
from cbtrun.plugins.mock_server.protocols import Body
from cbtrun.plugins.mock_server.server import MockServer
from tests.helpers.chat_calls import KEY
from tests.helpers.network_studies import ALLOW, STUDY, listening

TALKS, CALLS = STUDY.partition("ratings:")[0], 2 * 3 * 4
DRIVER = """
import platform, sys
from pathlib import Path
from cbtrun.files import folder_hold, lease
from cbtrun.cli.main import main

host, silent = sys.argv[1], float(sys.argv[2])
platform.node = lambda: host
lease.BOOT = Path("/nowhere") / host  # no process of another machine can be looked for here
lease.BEAT_SECONDS, lease.SILENT_SECONDS = 0.05, silent
main(sys.argv[3:])
"""
"""cbtrun on another machine that mounts the same disk: argv is its name, and how long it watches a silent driver."""


class Holding(MockServer):
    """A mock server that keeps its answers back while it is told to."""

    def hold_from(self, call: int) -> None:
        self.free, self.first_held = threading.Event(), call
        self.answer = self._held

    async def _held(self, body: Body) -> str:
        while self.calls >= self.first_held and not self.free.is_set():
            await asyncio.sleep(0.005)
        return default_answer(body)


@contextmanager
def on_node(name: str, folder: Path, server: MockServer, *, silent: float) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", DRIVER, name, str(silent), "study.yaml", *ALLOW],
        cwd=folder,
        env={**os.environ, "MOCK_URL": server.url, "MOCK_KEY": KEY, "CBTRUN_DISK": "network"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(done: Callable[[], bool]) -> None:
    for _ in range(6000):
        if done():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")


def kept(folder: Path) -> int:
    with closing(connect_to_read(folder / "runs/calls/journal.sqlite")) as connection:
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The results of a run that nothing happens to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "study.yaml").write_text(TALKS)
    with listening(MockServer()) as server, on_node("node1", folder, server, silent=60) as run:
        assert run.wait() == 0
        assert server.calls == CALLS
    return (folder / "runs/calls/results.json").read_bytes()


def test_a_second_driver_is_refused_while_the_first_lives_and_a_paused_one_that_lost_its_run_calls_and_writes_nothing(
    tmp_path: Path, undisturbed: bytes
) -> None:
    (tmp_path / "study.yaml").write_text(TALKS)
    server, run = Holding(), tmp_path / "runs/calls"
    server.hold_from(8)
    with listening(server), on_node("node1", tmp_path, server, silent=60) as first:
        until(lambda: server.under_way == 2 * 3)  # every session waits for an answer: nothing is about to be sent
        with on_node("node2", tmp_path, server, silent=60) as refused:
            _, told = refused.communicate()
        assert refused.returncode == 2, told
        assert f"another cbtrun (process {first.pid} on node1) is running in this folder" in told
        assert server.under_way == 2 * 3
        first.send_signal(signal.SIGSTOP)
        lost = server.calls - kept(tmp_path)
        server.free.set()  # answers reach the paused one, which has not read them
        with on_node("node2", tmp_path, server, silent=0.5) as second:
            _, told = second.communicate()
        assert second.returncode == 0, told
        assert server.calls == CALLS + lost
        assert (run / "results.json").read_bytes() == undisturbed
        before = tree_digest([path for path in run.rglob("*") if path.is_file()], run)
        first.send_signal(signal.SIGCONT)
        _, told = first.communicate()
        assert first.returncode == 4, told
        assert "process" in told
        assert "has taken this run over" in told
        assert "makes no call and writes nothing more" in told
        assert server.calls == CALLS + lost
        assert tree_digest([path for path in run.rglob("*") if path.is_file()], run) == before


@pytest.mark.slow
def test_a_driver_that_was_killed_is_gone_on_from_elsewhere(tmp_path: Path, undisturbed: bytes) -> None:
    (tmp_path / "study.yaml").write_text(TALKS)
    server = Holding()
    server.hold_from(10)
    with listening(server), on_node("node1", tmp_path, server, silent=60) as first:
        until(lambda: server.calls >= 10)
        first.kill()
        first.wait()
        calls, committed = server.calls, kept(tmp_path)
        server.free.set()
        with on_node("node2", tmp_path, server, silent=0.3) as second:
            _, told = second.communicate()
        assert second.returncode == 0, told
        assert server.calls == calls + CALLS - committed  # no committed call was made twice
    assert (tmp_path / "runs/calls/results.json").read_bytes() == undisturbed
