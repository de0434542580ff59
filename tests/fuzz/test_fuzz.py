"""A fixed sample of broken things: none ends in a traceback, exit 1, a hang, or on a terminal that obeys it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

CASES = 9
"""Of each kind: some 30 s of one core in all."""


def _ended(*options: str) -> tuple[int, dict[str, object], str]:
    """How the program ended: in a process of its own, which a hang cannot take along."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *options], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.stdout.strip(), done.stderr[-3000:]
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.parametrize("seed", [1])
def test_nothing_that_is_broken_ends_in_a_traceback_or_without_end(seed: int) -> None:
    code, summary, told = _ended("--seed", str(seed), "--cases", str(CASES))
    assert (code, summary["findings"]) == (0, 0), told
