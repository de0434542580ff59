"""Therapist and patient anywhere: in this process, behind a server, or one here and one there, by the same code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.testing.projects import StudyProject
from tests.helpers.network_studies import ALLOW, listening
from tests.helpers.tiny_models import make_model

STUDY = """
cbtrun: 1
study: mixed
seed: 7
contains: none
models:
  here:  {{using: transformers, model: {one}, group: 8, threads: 1, max_tokens: 8, device: cpu}}
  other: {{using: transformers, model: {two}, group: 8, threads: 1, max_tokens: 8, device: cpu}}
  there: {{using: openai, base_url: "${{MOCK_URL}}", model: served, api_key_env: MOCK_KEY, seed: true}}
personas:
  eval: {{using: sampled, attributes: depression, count: 3}}
arms:
  local-remote: {{therapist: here, patient: there}}
  remote-local: {{therapist: there, patient: here}}
  one-model:    {{therapist: here, patient: here}}
  two-models:   {{therapist: here, patient: other}}
  remote:       {{therapist: there, patient: there}}
sessions:
  {{using: dialogue, patient: there, personas: eval, max_turns: 4, farewell: false, max_tokens: {{therapist: 8, patient: 8}}, patient_system: "Be {{{{ persona.name }}}}."}}
"""


def test_wherever_the_two_models_are_the_sessions_are_held_and_replayed(
    study_project: Callable[[Mapping[str, str]], StudyProject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {name: make_model(tmp_path / name, seed=seed) for seed, name in enumerate(("one", "two"))}
    with listening(MockServer()) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        monkeypatch.setenv("MOCK_KEY", "a-key-for-the-mock-server")
        project = study_project({"study.yaml": STUDY.format(**folders)})
        run = project.run("study.yaml", *ALLOW)
        assert run.code == 0, run.err
        sessions = project.read("runs/mixed/sessions.jsonl")
        project.run("study.yaml", "--set", "title=again", *ALLOW)
    held = [json.loads(line) for line in sessions.splitlines()]
    assert [session["arm"] for session in held] == [
        arm for arm in ("local-remote", "remote-local", "one-model", "two-models", "remote") for _ in range(3)
    ]
    assert {len(session["turns"]) for session in held} == {4}
    shared = 3  # the server's first words as a therapist: the same draw, whoever the patient is
    assert server.calls == 3 * (2 + 2 + 4) - shared
