"""The whole chain, killed in every stage, repeats no completed call and ends with the same bytes."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

STUDY = """
cbtrun: 1
study: s
seed: 5
plugins: [./counting.py]
models:
  author:  {using: grammar}
  patient: {using: scripted-patient}
  rater:   {using: lexical-rater}
  tiny:    {using: transformers, model: "cbtrun:tiny", max_tokens: 24, threads: 1, group: 8}
personas:
  train: {using: sampled, attributes: depression, count: 4}
  eval:  {using: sampled, attributes: depression, count: 4}
corpus:
  cbt: {using: written-course, author: author, personas: train, course: depression-20, register: cbt, sessions: [1, 5]}
tune:
  tuned: {using: sft, base: tiny, corpus: cbt, max_steps: 12, batch_size: 1, max_length: 512, checkpoint_steps: 3, threads: 1, seeds: [1]}
arms:
  untuned: {therapist: tiny,  factors: {tuning: none}}
  cbt:     {therapist: tuned, factors: {tuning: cbt}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 8}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater]}}
analysis: {main: {using: paired, outcome: ctrs.total, factor: tuning, levels: [cbt, none], pair_by: persona, tests: [t]}}
"""

COUNTING = """
from pathlib import Path

from cbtrun.contract.digests import digest
from cbtrun.hookspecs import hookimpl


class Counting:
    def __init__(self, inner):
        self.inner, self.identity = inner, inner.identity

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def reply(self, request):
        reply = await self.inner.reply(request)
        with Path("answered.log").open("a") as log:
            log.write(digest([dict(self.identity), [m.content for m in request.messages], str(request.draw)]) + "\\n")
        return reply


@hookimpl(wrapper=True)
def open_model(context):
    return Counting((yield))
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start the study in a folder of its own."""
    command = [sys.executable, "-m", "cbtrun.cli.main", "study.yaml", "--allow-local-plugins"]
    with (folder / "run.log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)


def made(folder: Path) -> Path:
    """A folder with the study in it."""
    folder.mkdir()
    (folder / "study.yaml").write_text(STUDY)
    (folder / "counting.py").write_text(COUNTING)
    return folder


def kept(folder: Path, stage: str) -> int:
    """Calls of a stage that the journal holds."""
    journal = folder / "runs/s/journal.sqlite"
    if not journal.exists():
        return 0
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    try:
        query = "SELECT count(*) FROM calls WHERE stage = ?"
        return int(connection.execute(query, (stage,)).fetchone()[0])
    except sqlite3.OperationalError:  # the tables are not there yet
        return 0
    finally:
        connection.close()


def has_checkpoint(folder: Path) -> bool:
    """Whether the training wrote a checkpoint that it could go on from."""
    return any((folder / "runs/s/adapters").rglob("checkpoint-*"))


def kill_when(folder: Path, reached: Callable[[], bool]) -> None:
    """Run the study and kill it as soon as a point is reached."""
    process = start(folder)
    while process.poll() is None and not reached():
        time.sleep(0.005)
    assert process.poll() is None, (folder / "run.log").read_text()
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_chain_killed_in_every_stage_repeats_no_completed_call_and_ends_the_same(tmp_path: Path) -> None:
    undisturbed, killed = made(tmp_path / "undisturbed"), made(tmp_path / "killed")
    assert start(undisturbed).wait() == 0, (undisturbed / "run.log").read_text()

    kill_when(killed, lambda: kept(killed, "corpus.cbt") >= 3)
    kill_when(killed, lambda: has_checkpoint(killed))
    kill_when(killed, lambda: kept(killed, "sessions") >= 20)
    kill_when(killed, lambda: kept(killed, "ratings.ctrs") >= 1)
    assert start(killed).wait() == 0, (killed / "run.log").read_text()

    for name in ("corpus/cbt.jsonl", "sessions.jsonl", "ratings/ctrs.jsonl", "results.json"):
        assert (killed / "runs/s" / name).read_bytes() == (undisturbed / "runs/s" / name).read_bytes(), name
    answered = Counter((killed / "answered.log").read_text().splitlines())
    once = Counter((undisturbed / "answered.log").read_text().splitlines())
    assert set(answered) == set(once)
    # Only what was under way at one of the four kills may have been asked for again: 4 authors, 8 sessions or 8 raters.
    assert sum(answered.values()) - sum(once.values()) <= 4 + 8 + 8
