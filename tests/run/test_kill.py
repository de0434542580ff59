"""A run that is killed goes on where it was: nothing that was paid for is done twice, and the results are the same."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

STUDY = """
cbtrun: 1
study: s
contains: none
plugins: [./counting.py]
models: {rater: {using: counting}}
sessions:
  using: import
  path: t.csv
  columns: {session: session, speaker: speaker, text: text}
  speakers: {therapist: therapist, patient: patient}
  factors: {quality: quality}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater], repeats: 2}}
analysis: {main: {using: independent, outcome: ctrs.total, factor: quality, levels: [good, poor]}}
"""

COUNTING = """
import asyncio
from pathlib import Path

from cbtrun.contract.digests import digest
from cbtrun.hookspecs import hookimpl
from cbtrun.plugins.raters import lexical_rater


class Counting:
    def __init__(self, inner):
        self.inner, self.identity = inner, {"using": "counting"}

    async def reply(self, request):
        with Path("asked.log").open("a") as log:
            log.write(f"{request.draw.subject} {request.draw.repeat}\\n")
        await asyncio.sleep(0.03)
        return await self.inner.reply(request)

    async def close(self):
        await self.inner.close()


@hookimpl
def open_model(context):
    return Counting(lexical_rater.open_model(context))
"""


def write_study(folder: Path, sessions: int = 30) -> None:
    rows = ["session,speaker,text,quality"]
    for number in range(sessions):
        quality = "good" if number % 2 else "poor"
        asked = (
            f"What went through your mind on day {number}?" if number % 2 else f"You should try harder on day {number}."
        )
        rows += [f"s{number},therapist,{asked},{quality}", f"s{number},patient,I was tired on day {number}.,{quality}"]
    (folder / "t.csv").write_text("\n".join(rows) + "\n")
    (folder / "study.yaml").write_text(STUDY)
    (folder / "counting.py").write_text(COUNTING)


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cbtrun.cli.main", "study.yaml", "--allow-local-plugins", "--concurrency", "2"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kept_calls(folder: Path) -> int:
    journal = folder / "runs/s/journal.sqlite"
    if not journal.exists():
        return 0
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])
    except sqlite3.OperationalError:  # the tables are not there yet
        return 0
    finally:
        connection.close()


def kill_at(folder: Path, calls: int) -> None:
    """Start the study and kill it as soon as that many calls are kept."""
    process = start(folder)
    while process.poll() is None and kept_calls(folder) < calls:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_run_killed_at_several_points_repeats_no_completed_call_and_ends_the_same(tmp_path: Path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    for folder in (undisturbed, killed):
        folder.mkdir()
        write_study(folder)
    assert start(undisturbed).wait() == 0

    in_flight = 0
    for calls in (1, 7, 25, 44):
        before = kept_calls(killed)
        kill_at(killed, calls)
        assert kept_calls(killed) >= max(before, calls)
        in_flight += 2  # --concurrency 2: at most two calls were under way at each kill
    assert start(killed).wait() == 0

    asked = Counter((killed / "asked.log").read_text().splitlines())
    assert len(asked) == 60
    assert sum(asked.values()) - 60 <= in_flight
    assert (killed / "runs/s/results.json").read_bytes() == (undisturbed / "runs/s/results.json").read_bytes()


@pytest.mark.parametrize("signal_", [signal.SIGINT])
def test_an_interrupted_run_says_how_to_go_on_and_goes_on(tmp_path: Path, signal_: signal.Signals) -> None:
    write_study(tmp_path)
    command = [sys.executable, "-m", "cbtrun.cli.main", "study.yaml", "--allow-local-plugins", "--concurrency", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and kept_calls(tmp_path) < 5:
        time.sleep(0.002)
    process.send_signal(signal_)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "The same command goes on from here." in err
    assert "Traceback" not in err
    assert start(tmp_path).wait() == 0
