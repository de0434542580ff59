"""One gate stands before a run: what would stop it is told at once, and plan and doctor ask the same gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from cbtrun.plugins.local_models import gpus
from cbtrun.testing.projects import StudyProject
from tests.helpers.excerpts import without_excerpts

Project = Callable[[Mapping[str, str]], StudyProject]
STUDY = """
cbtrun: 1
study: s
seed: 1
contains: real-people
models:
  talker:  {using: openai, base_url: "https://127.0.0.1:9/v1", model: talker-1, api_key_env: NO_SUCH_KEY}
  local:   {using: transformers, model: "cbtrun:tiny", device: cuda}
  patient: {using: scripted-patient}
personas:
  eval: {using: sampled, attributes: depression, count: 1}
arms:
  one: {therapist: talker, factors: {kind: one}}
  two: {therapist: local, factors: {kind: two}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 2}
"""
NO_GPU = "device: cuda needs an NVIDIA GPU, and there is none here"


@pytest.fixture
def project(study_project: Project, monkeypatch: pytest.MonkeyPatch) -> StudyProject:
    """A study that lacks consent, a key and a GPU."""
    monkeypatch.setattr(gpus, "gpu_memory", list)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    return study_project({"study.yaml": STUDY})


def test_all_that_would_stop_a_run_is_told_at_once_in_file_order(project: StudyProject) -> None:
    outcome = project.run("study.yaml")
    assert outcome.code == 2
    *told, last = without_excerpts(outcome.err).splitlines()
    assert [line.split(": ")[1] for line in told] == ["models/talker/api_key_env", "models/local", "arms/one"]
    assert last == "3 problems; nothing was run."
    assert not (project.folder / "runs").exists()


def test_an_offline_run_needs_consent_alone(project: StudyProject) -> None:
    outcome = project.run("study.yaml", "--offline")
    assert outcome.code == 2
    assert outcome.err.endswith("1 problem; nothing was run.\n")
    assert "--consent-remote" in outcome.err


def test_plan_and_doctor_say_what_the_gate_says(project: StudyProject) -> None:
    plan, doctor = project.run("plan", "study.yaml"), project.run("doctor", "study.yaml")
    assert f"warning: models/local: {NO_GPU}; a run here would stop before it starts" in plan.out
    assert f"stop  models.local: {NO_GPU}\n" in doctor.out
    assert "note  consent: arms/one would send words of real people to the remote model 'talker'" in doctor.out
    assert "stop  key of talker: " in doctor.out
