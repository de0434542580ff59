"""Tuning by reinforcement through the command line: a whole study, stops in the middle of it, and what is refused."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.reinforced import TrainingStep
from cbtrun.contract.rollouts import HeldStep
from cbtrun.files.record_list import RecordList
from cbtrun.journal.journal import Journal
from cbtrun.plugins.tuning import grpo_trainer
from cbtrun.plugins.tuning.asked_sessions import AskedSessions
from cbtrun.testing.projects import StudyProject
from tests.helpers.reinforced_study import reinforced_project

SEED = "runs/taught/adapters/tuned/seed-1"


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> StudyProject:
    project = reinforced_project(tmp_path_factory.mktemp("undisturbed"))
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    return project


def steps_of(project: StudyProject) -> list[TrainingStep]:
    return list(RecordList.read(project.folder / SEED / "steps.jsonl", TrainingStep))


def calls_of(project: StudyProject) -> list[tuple[Any, ...]]:
    with sqlite3.connect(project.folder / "runs/taught/journal.sqlite") as journal:
        return sorted(journal.execute("select key from calls").fetchall())


def made(project: StudyProject) -> dict[str, str]:
    names = ("adapter_model.safetensors", "adapter_config.json", "steps.jsonl", "training-log.jsonl")
    files = [*(project.folder / SEED / name for name in names), project.folder / "runs/taught/results.json"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_each_step_is_a_group_of_sessions_of_one_policy(undisturbed: StudyProject) -> None:
    steps = steps_of(undisturbed)
    assert [step.step for step in steps] == [1, 2, 3]
    assert len({step.policy for step in steps}) == 3  # each update made another policy
    for step in steps:
        assert [one.draw for one in step.rollouts] == [1, 2]
        assert len({(one.persona, one.group) for one in step.rollouts}) == 1
        assert all(one.tokens and one.entropy and set(one.witness) == {"safety.harm_invited"} for one in step.rollouts)
        assert step.kl is not None
    assert [bool(step.controls) for step in steps] == [True, False, True]


def test_the_sessions_of_a_group_have_one_patient_and_draws_of_their_own(undisturbed: StudyProject) -> None:
    told = json.loads(undisturbed.read(f"{SEED}/sessions-00001.words.json"))
    assert len(told) == 2
    assert told[0]["persona"] == told[1]["persona"]
    assert told[0]["draw"] != told[1]["draw"]
    assert told[0]["turns"] != told[1]["turns"]


def test_what_a_session_earns_is_where_it_stands_on_the_scale(undisturbed: StudyProject) -> None:
    for one in (one for step in steps_of(undisturbed) for one in step.rollouts):
        if not one.veto and one.rewarded is not None:
            assert one.reward == pytest.approx(one.rewarded / 66)


def test_an_arm_speaks_with_what_was_learnt(undisturbed: StudyProject) -> None:
    adapter = json.loads(undisturbed.read("runs/taught/adapters/tuned/adapters.jsonl"))
    assert adapter["base"] == "base"
    assert adapter["digest"] not in {
        step.policy for step in steps_of(undisturbed)
    }  # the update of the last step is in it
    sessions = undisturbed.read("runs/taught/sessions.jsonl").splitlines()
    assert [json.loads(line)["arm"] for line in sessions] == ["taught"]


def test_the_same_command_again_does_nothing(undisturbed: StudyProject) -> None:
    before = made(undisturbed)
    outcome = undisturbed.run()
    assert outcome.code == 0
    assert "tune.tuned" in outcome.out + outcome.err
    assert made(undisturbed) == before


def _while_holding(monkeypatch: pytest.MonkeyPatch) -> None:
    keep, kept = Journal.keep, []

    async def killed(self: Journal, call: Any) -> None:
        await keep(self, call)
        kept.append(call)
        if len(kept) == 13:  # in the second step
            raise Killed

    monkeypatch.setattr(Journal, "keep", killed)


def _before_a_checkpoint_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(checkpoint: Path) -> None:
        raise Killed

    monkeypatch.setattr(grpo_trainer, "keep_only", killed)


def _after_the_last_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr(grpo_trainer, "probe_turns", killed)


@pytest.mark.parametrize(
    "at",
    [
        _while_holding,
        pytest.param(_before_a_checkpoint_is_whole, marks=pytest.mark.slow),
        pytest.param(_after_the_last_checkpoint, marks=pytest.mark.slow),
    ],
)
def test_a_killed_training_comes_to_the_same_bytes_and_asks_nothing_twice(
    at: Callable[[pytest.MonkeyPatch], None], undisturbed: StudyProject, tmp_path: Path
) -> None:
    project = reinforced_project(tmp_path)
    with pytest.MonkeyPatch.context() as monkeypatch:
        at(monkeypatch)
        with pytest.raises(Killed):
            project.run()
    kept = calls_of(project)
    assert project.run().code == 0
    assert made(project) == made(undisturbed)
    assert calls_of(project) == calls_of(undisturbed)
    assert set(kept) <= set(calls_of(project))


@pytest.mark.slow
def test_what_is_drawn_while_sessions_are_held_decides_nothing(
    undisturbed: StudyProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the policy speaks in this process its engine draws weights as it opens; on another machine nobody does."""
    import numpy as np
    import torch

    hold = AskedSessions.hold

    def held(self: AskedSessions, step: int, policy: Path, digest: str) -> HeldStep:
        found = hold(self, step, policy, digest)
        for draw in (random.random, np.random.rand, lambda: torch.rand(3)):
            draw()
        return found

    monkeypatch.setattr(AskedSessions, "hold", held)
    project = reinforced_project(tmp_path)
    assert project.run().code == 0
    assert made(project) == made(undisturbed)


@pytest.mark.slow
@pytest.mark.long
def test_killed_at_twenty_moments_it_comes_to_the_same_bytes(undisturbed: StudyProject, tmp_path: Path) -> None:
    project = reinforced_project(tmp_path)
    moments = random.Random(28)
    for _ in range(20):
        seconds = moments.uniform(2, 25)
        command = [sys.executable, "-m", "cbtrun.cli.main", "study.yaml"]
        running = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            running.wait(seconds)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
    assert project.run().code == 0
    assert made(project) == made(undisturbed)
    assert calls_of(project) == calls_of(undisturbed)
