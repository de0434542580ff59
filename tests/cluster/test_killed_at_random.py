"""Workers, nodes and the driver killed at seeded random moments: the same bytes, and nothing that was committed is asked again."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.helpers.ray_nodes import Nodes, ray_nodes
from tests.helpers.two_controls import two_controls

pytestmark = pytest.mark.slow
pytest.importorskip("ray", reason="needs cbtrun[ray]")

WHERE = "on: ray\ntrusted: yes\nnew_engines_an_hour: 200\nping_seconds: 10\n"
MOMENTS = 20
SAME = ("sessions.jsonl", "ratings/ctrs.jsonl", "results.json", "analysis/main.jsonl")


def start(folder: Path, nodes: Nodes) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cbtrun.cli.main", "study.yaml", "--on", "where.yaml", "--concurrency", "8"]
    log = (folder / "log.txt").open("ab")
    return subprocess.Popen(command, cwd=folder, env=os.environ | {"RAY_ADDRESS": nodes.address}, stdout=log, stderr=log)


def committed(folder: Path) -> dict[str, tuple[float, str]]:
    """Key -> when it was answered and what, of all calls that the journal holds."""
    path = folder / "runs/s/journal.sqlite"
    if not path.exists():
        return {}
    with closing(sqlite3.connect(path)) as journal:
        with suppress(sqlite3.OperationalError):  # before its tables are made
            return {key: (at, text) for key, at, text in journal.execute("SELECT key, at, text FROM calls")}
    return {}


def study(name: str = "s") -> str:
    return two_controls(name, personas=40, turns=10)


def test_whoever_is_killed_whenever_the_bytes_are_the_same_and_nothing_is_asked_twice(tmp_path: Path) -> None:
    draw = random.Random(2412)
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        (folder / "study.yaml").write_text(study())
        (folder / "where.yaml").write_text(WHERE)
    subprocess.run([sys.executable, "-m", "cbtrun.cli.main", "study.yaml", "-q"], cwd=here, check=True)
    struck = []
    with ray_nodes(3) as nodes:
        run = start(there, nodes)
        for _ in range(MOMENTS):
            time.sleep(draw.uniform(0.2, 2.5))
            if run.poll() is not None:  # it is over: what would be struck is there no more
                break
            what = draw.choice(["worker", "worker", "worker", "node", "driver"])
            struck.append(what)
            before = committed(there)
            if what == "worker" and (engines := nodes.engines()):
                with suppress(ProcessLookupError):
                    os.kill(draw.choice(engines), signal.SIGKILL)
            elif what == "node":
                nodes.lose()
                nodes.add()
            elif what == "driver":
                run.kill()
                run.wait()
                run = start(there, nodes)
            after = committed(there)
            assert {key: after[key] for key in before} == before
        assert run.wait(timeout=400) == 0, (there / "log.txt").read_text()[-3000:]
    assert len(struck) >= 5, struck
    for name in SAME:
        assert (there / "runs/s" / name).read_bytes() == (here / "runs/s" / name).read_bytes(), name
