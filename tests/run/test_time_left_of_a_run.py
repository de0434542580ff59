"""Time left as a real run tells it, at the mock server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cbtrun.plugins.mock_server.answers import EmbeddedAnswers
from cbtrun.plugins.mock_server.server import MockServer
from tests.helpers.network_studies import ALLOW, STUDY, listening

TURNS, LATENCY = 20, 1.0


@pytest.mark.slow
def test_a_run_tells_its_time_left_within_a_factor_of_one_and_a_half(tmp_path: Path) -> None:
    """A server of a second a turn is slow beside this machine, however busy it is; its own clock is what is looked at."""
    (tmp_path / "study.yaml").write_text(STUDY.replace("max_turns: 4", f"max_turns: {TURNS}"))
    told: list[tuple[float, float]] = []
    with listening(MockServer(answer=EmbeddedAnswers.of_folders([]), latency=LATENCY)) as server:
        keys = {"MOCK_URL": server.url, "MOCK_KEY": "k"}
        command = [sys.executable, "-m", "cbtrun.cli.main", "study.yaml", *ALLOW]
        run = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **keys}, stderr=subprocess.DEVNULL)
        ended = 0.0
        while run.poll() is None:
            time.sleep(0.5)
            try:
                (one,) = json.loads((tmp_path / "runs/calls/running.json").read_text())["stages"]
            except (OSError, ValueError):
                continue
            if one["stage"] != "sessions":
                ended = ended or time.monotonic()
            elif one["left"] is not None and one["done"] >= one["total"] / 5:
                told.append((time.monotonic(), one["left"]))
    assert run.returncode == 0
    assert len(told) > 10
    for at, left in told:
        if ended - at > 3:
            low, high = sorted((left + 1, ended - at + 1))
            assert high / low <= 1.5, (left, ended - at)
