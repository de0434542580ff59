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
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            command, cwd=folder, env=os.environ | {"RAY_ADDRESS": nodes.address}, stdout=log, stderr=log
        )


def committed(folder: Path) -> dict[str, tuple[float, str]]:
    """Key -> when it was answered and what, of all calls that the journal holds."""
    path = folder / "runs/s/journal.sqlite"
    if not path.exists():
        return {}
    with closing(sqlite3.connect(path)) as journal, suppress(sqlite3.OperationalError):  # before its tables are made
        return {key: (at, text) for key, at, text in journal.execute("SELECT key, at, text FROM calls")}
    return {}


def strike(what: str, nodes: Nodes, run: subprocess.Popen[bytes], draw: random.Random) -> bool:
    """Whether there was something to strike."""
    if what == "worker":
        engines = nodes.engines()
        with suppress(ProcessLookupError, IndexError):
            os.kill(draw.choice(engines), signal.SIGKILL)
            return True
        return False
    if what == "node":
        nodes.lose()
        nodes.add()
    else:
        run.kill()
        run.wait()
    return True


def struck_run(folder: Path, nodes: Nodes, draw: random.Random, strikes: list[str]) -> None:
    """A run to its end, begun again whenever its driver is gone, with strikes while there are any left."""
    run = start(folder, nodes)
    while run.poll() != 0:
        if run.poll() is not None:  # the driver was struck, or its own machine was: the same command goes on
            run = start(folder, nodes)
        time.sleep(draw.uniform(0.2, 2.5))
        if len(strikes) < MOMENTS and run.poll() is None:
            before = committed(folder)
            what = draw.choice(["worker", "worker", "worker", "node", "driver"])
            strikes += [what] if strike(what, nodes, run, draw) else []
            after = committed(folder)
            assert {key: after[key] for key in before} == before  # what was committed stays as it was answered


def test_whoever_is_killed_whenever_the_bytes_are_the_same_and_nothing_is_asked_twice(tmp_path: Path) -> None:
    draw, strikes = random.Random(2412), list[str]()
    here = tmp_path / "here"
    here.mkdir()
    (here / "study.yaml").write_text(two_controls("s", personas=40, turns=10))
    subprocess.run([sys.executable, "-m", "cbtrun.cli.main", "study.yaml", "-q"], cwd=here, check=True)
    with ray_nodes(3) as nodes:
        for number in range(MOMENTS):
            if len(strikes) == MOMENTS:
                break
            there = tmp_path / f"there-{number}"
            there.mkdir()
            (there / "study.yaml").write_text(two_controls("s", personas=40, turns=10))
            (there / "where.yaml").write_text(WHERE)
            struck_run(there, nodes, draw, strikes)
            for name in SAME:
                assert (there / "runs/s" / name).read_bytes() == (here / "runs/s" / name).read_bytes(), name
    assert len(strikes) == MOMENTS, strikes
    assert {*strikes} == {"worker", "node", "driver"}
