"""A study whose therapist is behind a real server of chat completions, `transformers serve`, on loopback."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import pytest

from cbtrun.testing.projects import StudyProject

MakeProject = Callable[[Mapping[str, str]], StudyProject]
TINY = Path(str(files("cbtrun.plugins"))) / "tiny" / "model"
STUDY = f"""
cbtrun: 1
study: served
seed: 2412
contains: none
models:
  tiny: {{using: openai, base_url: "${{SERVED_URL}}", model: "{TINY}", temperature: 0.3, top_p: 0.9, max_tokens: 30, seed: true, stop: ["xyz"], limits: {{tries: 3}}}}
  patient: {{using: scripted-patient}}
  rater: {{using: lexical-rater}}
personas:
  eval: {{using: sampled, attributes: depression, count: 2}}
arms:
  one: {{therapist: tiny, system: "You are a kind listener.", factors: {{kind: one}}}}
sessions: {{using: dialogue, patient: patient, personas: eval, max_turns: 4}}
ratings:
  ctrs: {{using: rubric, rubric: ctrs, raters: [rater]}}
"""
BY_ITSELF = """
extends: study.yaml
study: judged
models:
  judge: {using: openai, base_url: "${SERVED_URL}", model: "MODEL", max_tokens: 30, answers: MODE}
ratings:
  ctrs: {using: rubric, rubric: ctrs, raters: [judge]}
""".replace("MODEL", str(TINY))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("fastapi", "uvicorn"))), reason="needs pip install 'cbtrun[serving]'"
    ),
]


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """Address of a server with the tiny model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(TINY), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    server = subprocess.Popen([*command, "--port", str(port), "--host", "127.0.0.1"], env=environment)
    try:
        yield _listening(f"http://127.0.0.1:{port}", server)
    finally:
        server.terminate()
        server.wait()


def _listening(url: str, server: subprocess.Popen[bytes]) -> str:
    for _ in range(480):
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(f"{url}/v1/models", timeout=5):
                return f"{url}/v1"
        except OSError:
            time.sleep(0.25)
    raise AssertionError("the server does not answer")


@pytest.fixture
def project(study_project: MakeProject, served: str, monkeypatch: pytest.MonkeyPatch) -> StudyProject:
    monkeypatch.setenv("SERVED_URL", served)
    return study_project({"study.yaml": STUDY})


def test_a_study_runs_with_a_real_server_and_again_offline_without_it(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project.run("study.yaml").code == 0
    sessions = project.read("runs/served/sessions.jsonl")
    turns = [
        turn for line in sessions.splitlines() for turn in json.loads(line)["turns"] if turn["speaker"] == "therapist"
    ]
    assert len(turns) == 4
    assert all(turn["text"].strip() for turn in turns)
    results = project.read("runs/served/results.json")
    assert project.run("journal", "export", "runs/served", "calls.jsonl.gz").code == 0
    monkeypatch.setenv("SERVED_URL", "http://127.0.0.1:9/v1")
    again = ("study.yaml", "--runs", "again", "--offline")
    assert project.run("journal", "import", "again/served", "calls.jsonl.gz").code == 0
    outcome = project.run(*again)
    assert outcome.code == 0, outcome.err
    assert project.read("again/served/results.json") == results


def test_a_field_that_it_does_not_know_is_named(project: StudyProject) -> None:
    outcome = project.run("study.yaml", "--set", "models.tiny.extra_body={nonsense: 1}", "--set", "study=refused")
    assert outcome.code != 0
    assert "nonsense" in outcome.err


@pytest.mark.parametrize("mode", ["JSON", "JSON_SCHEMA", "TOOLS"])
def test_ratings_that_it_does_not_hold_to_the_schema_are_unscored_with_the_reason(
    project: StudyProject, mode: str
) -> None:
    """It takes the schema and ignores it; the tiny model answers with talk, how long a talk depends on the CPU."""
    project.write("judged.yaml", BY_ITSELF.replace("MODE", mode))
    outcome = project.run("judged.yaml")
    assert outcome.code == 3, outcome.err
    ratings = [json.loads(line) for line in project.read("runs/judged/ratings/ctrs.jsonl").splitlines()]
    assert len(ratings) == 2
    scores = [score for one in ratings for score in one["scores"]]
    assert {score["score"] for score in scores} == {None}
    assert all("JSON" in one["reason"] or "cut off at the token limit" in one["reason"] for one in scores)
