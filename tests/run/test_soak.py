"""Killed at random moments under faults: every session complete once, no completed call repeated.

CBTRUN_SOAK_SESSIONS and CBTRUN_SOAK_KILLS make it longer; `python tests/soak.py` is the full one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helpers.soak import CONCURRENCY, TURNS, soak


@pytest.mark.slow
def test_kills_and_faults_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    sessions = int(os.environ.get("CBTRUN_SOAK_SESSIONS", "150"))
    kills = int(os.environ.get("CBTRUN_SOAK_KILLS", "3"))
    found = soak(tmp_path, sessions, kills)
    assert found.exit_code == 0, (tmp_path / "log").read_text()[-2000:]
    assert found.kills == kills
    assert found.kept == sessions * TURNS
    assert found.complete_sessions == found.distinct_sessions == sessions
    assert found.repeated == 0
    assert found.lost_at_kills <= kills * CONCURRENCY
    assert found.faults > 0
