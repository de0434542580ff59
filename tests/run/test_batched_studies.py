"""Studies with `limits: {batch: true}`, as a user runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.plugins.mock_server.answers import EmbeddedAnswers
from cbtrun.plugins.mock_server.batches import BatchShop
from cbtrun.plugins.mock_server.in_thread import listening
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.testing.projects import StudyProject
from tests.helpers.batch_runs import KEY, VENDORS, quick

Make = Callable[[Mapping[str, str]], StudyProject]
ROWS = "session,speaker,text,group\n" + "".join(
    f"s{one},therapist,How was week {one}?,{'ab'[one % 2]}\ns{one},patient,Hard week {one}.,{'ab'[one % 2]}\n"
    for one in range(6)
)
LIMITS = "{batch: true, batch_poll_seconds: 0.01, first_wait_seconds: 0.01}"
STUDY = """
cbtrun: 1
study: code
seed: 1
contains: none
models: {rater: {using: %s, base_url: "%s", model: m, api_key_env: MOCK_KEY, max_tokens: 4000, prices: {input: 1, output: 2}, limits: %s}}
sessions:
  using: import
  path: t.csv
  columns: {session: session, speaker: speaker, text: text}
  speakers: {therapist: therapist, patient: patient}
  factors: {group: group}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater]}}
analysis: {main: {using: independent, outcome: ctrs.total, factor: group, levels: [a, b]}}
"""
ALLOW = ("--allow-host", "MOCK_KEY=127.0.0.1")
ADDRESS = {"openai": "${MOCK_URL}", "anthropic": "${MOCK_ROOT_URL}", "google": "${MOCK_ROOT_URL}"}


def study(vendor: str, limits: str = LIMITS) -> dict[str, str]:
    return {"study.yaml": STUDY % (vendor, ADDRESS[vendor], limits), "t.csv": ROWS}


def environment(server: MockServer) -> dict[str, str]:
    return {"MOCK_URL": server.url, "MOCK_ROOT_URL": server.root, "MOCK_KEY": KEY}


def shop_of_raters(shop: BatchShop) -> MockServer:
    return MockServer(answer=EmbeddedAnswers.of_folders([]), shop=shop)


@pytest.mark.parametrize("vendor", ["openai", *(pytest.param(one, marks=pytest.mark.slow) for one in VENDORS[1:])])
def test_a_study_by_batches_costs_half_and_finds_what_one_without_finds(
    study_project: Make, monkeypatch: pytest.MonkeyPatch, vendor: str
) -> None:
    project, shop = study_project(study(vendor)), BatchShop()
    with listening(shop_of_raters(shop)) as server, quick():
        for name, value in environment(server).items():
            monkeypatch.setenv(name, value)
        planned = project.run("plan", "study.yaml")
        assert "in batches, ~$0.05 one by one, answers within a day a batch" in planned.out, planned.out
        outcome = project.run("study.yaml", *ALLOW)
        assert (outcome.code, server.calls, len(shop.batches)) == (0, 0, 1), outcome.err
        found = (project.folder / "runs/code/ratings/ctrs.jsonl").read_bytes()
        project.write("study.yaml", STUDY % (vendor, ADDRESS[vendor], "{batch: false}"))
        assert project.run("study.yaml", *ALLOW).code == 0
        assert (server.calls, (project.folder / "runs/code/ratings/ctrs.jsonl").read_bytes()) == (0, found)
    assert (set(shop.paid.values()), shop.twice) == ({1}, [])


TURNS = """
cbtrun: 1
study: turns
seed: 1
contains: none
models:
  author: {using: openai, base_url: "${MOCK_URL}", model: author, limits: %s}
  therapist: {using: openai, base_url: "${MOCK_URL}", model: therapist, limits: %s}
  patient: {using: scripted-patient}
personas:
  train: {using: sampled, attributes: depression, count: 2}
  eval: {using: sampled, attributes: depression, count: 2}
corpus: {cbt: {using: written-course, author: author, personas: train, course: depression-20, sessions: 1, register: cbt}}
arms: {one: {therapist: therapist, factors: {kind: one}}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 4}
"""


def test_stages_with_turns_are_asked_call_by_call_and_a_corpus_by_batch(
    study_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, shop = study_project({"study.yaml": TURNS % (LIMITS, LIMITS)}), BatchShop()
    with listening(shop_of_raters(shop)) as server, quick():
        monkeypatch.setenv("MOCK_URL", server.url)
        outcome = project.run("study.yaml")
        assert outcome.code == 0, outcome.err
        assert [len(one.requests) for one in shop.batches] == [2]
        assert server.calls == 2 * 2  # sessions x turns of the therapist


def test_a_plan_says_how_many_batches_follow_each_other(study_project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOCK_URL", "http://127.0.0.1:9/v1")
    course = (TURNS % (LIMITS, LIMITS)).replace("sessions: 1", "sessions: 3")
    planned = study_project({"study.yaml": course}).run("plan", "study.yaml")
    assert "answers within a day a batch, 3 batches one after the other" in planned.out, planned.out


def test_a_study_says_batches_for_vendors_own_addresses_alone(
    study_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = study("openai", "{first_wait_seconds: 0.01}")
    project, shop = study_project({**files, "study.yaml": files["study.yaml"] + "limits: {batch: true}\n"}), BatchShop()
    with listening(shop_of_raters(shop)) as server:
        for name, value in environment(server).items():
            monkeypatch.setenv(name, value)
        assert project.run("study.yaml", *ALLOW).code == 0
        assert (server.calls, shop.batches) == (6, [])


def test_a_batch_that_may_be_paid_for_ends_the_run_with_exit_4(
    study_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, shop = study_project(study("openai")), BatchShop(faults=["500"])
    with listening(shop_of_raters(shop)) as server, quick():
        for name, value in environment(server).items():
            monkeypatch.setenv(name, value)
        outcome = project.run("study.yaml", *ALLOW)
        assert outcome.code == 4
        assert "may have been submitted (500: mock says 500), and OpenAI's list shows none with its mark" in outcome.err
        assert "6 draws of 'rater' may have been submitted" in project.run("status", "runs/code").out


@pytest.mark.slow
@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("moment", ["taken", "ended"])
def test_a_run_killed_by_sigkill_is_gone_on_with(study_project: Make, vendor: str, moment: str) -> None:
    project, shop = study_project(study(vendor)), BatchShop(looks=40)
    reached: dict[str, Callable[[], bool]] = {
        "taken": lambda: bool(shop.batches),
        "ended": lambda: any(one.ended for one in shop.batches),
    }
    with listening(shop_of_raters(shop)) as server:
        _killed(project.folder, environment(server), reached[moment])
        outcome = _started(project.folder, environment(server)).communicate(timeout=300)[1]
        states = (project.folder / "runs/code/ratings/ctrs.jsonl").exists()
        assert states, outcome.decode()
    assert (len(shop.batches), set(shop.paid.values()), shop.twice) == (1, {1}, [])


def _started(folder: Path, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cbtrun.cli.main", "study.yaml", *ALLOW]
    return subprocess.Popen(command, cwd=folder, env={**os.environ, **variables}, stderr=subprocess.PIPE)


def _killed(folder: Path, variables: Mapping[str, str], reached: Callable[[], bool]) -> None:
    process = _started(folder, variables)
    while not reached() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=300)
