"""The doctor finds what would stop a study, says what to do, and never shows or misleads a key."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from cbtrun.plugins.mock_server.broken_http import BROKEN_HTTP
from cbtrun.plugins.mock_server.in_thread import listening
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.plugins.remote_models.roles import FOUND
from cbtrun.testing.projects import StudyProject
from tests.helpers.raw_server import raw_listening, whole

Project = Callable[[Mapping[str, str]], StudyProject]
KEY = "a-key-long-enough-to-be-one"
STUDY = """
cbtrun: 1
study: s
seed: 1
contains: none
models:
  talker:  {using: openai, base_url: "${MOCK_URL}/v1", model: talker-1, api_key_env: MOCK_KEY}
  patient: {using: scripted-patient}
  rater:   {using: lexical-rater}
personas:
  eval: {using: sampled, attributes: depression, count: 3}
arms:
  one: {therapist: talker, factors: {kind: one}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 4}
ratings:
  ctrs: {using: rubric, rubric: ctrs, raters: [rater]}
"""
ALLOW = ("--allow-host", "MOCK_KEY=127.0.0.1")


def lines(out: str, subject: str) -> list[str]:
    """The lines about a subject."""
    return [line for line in out.splitlines() if re.match(rf"\w+ +{subject}:", line)]


@pytest.fixture
def project(study_project: Project, monkeypatch: pytest.MonkeyPatch) -> StudyProject:
    """A study with one remote model, whose key and address are set."""
    monkeypatch.setenv("MOCK_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MOCK_KEY", KEY)
    return study_project({"study.yaml": STUDY})


def test_a_study_that_lacks_nothing_passes_offline(project: StudyProject) -> None:
    outcome = project.run("doctor", "study.yaml", *ALLOW)
    assert outcome.code == 0, outcome.out
    assert lines(outcome.out, "key of talker") == [
        "ok    key of talker: MOCK_KEY is set and may go to http://127.0.0.1:9/v1"
    ]
    assert outcome.out.endswith("Nothing would stop this study.\n")
    assert KEY not in outcome.out


def test_a_missing_key_stops_the_study_and_is_named(project: StudyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOCK_KEY")
    outcome = project.run("doctor", "study.yaml", *ALLOW)
    assert outcome.code == 2
    assert lines(outcome.out, "key of talker")[0].startswith(
        "stop  key of talker: no key: set MOCK_KEY in the environment"
    )
    assert outcome.out.endswith("1 would stop this study.\n")


def test_a_key_that_may_not_go_to_the_host_stops_the_study_and_asks_nobody(project: StudyProject) -> None:
    outcome = project.run("doctor", "study.yaml", "--online")
    assert outcome.code == 2
    assert "the key in MOCK_KEY is not sent to 127.0.0.1" in outcome.out
    assert lines(outcome.out, "server of talker") == []


@pytest.mark.parametrize(
    ("server", "state", "words"),
    [
        (MockServer(models=("talker-1",), key=KEY), "ok", "answers and has 'talker-1'"),
        (
            MockServer(models=("talker-2",), key=KEY),
            "stop",
            "has no model 'talker-1' (did you mean 'talker-2'?); choose one that it lists: talker-2",
        ),
        (MockServer(models=("talker-1", "b"), key=KEY), "ok", "answers and has 'talker-1', and also b"),
        (
            MockServer(models=("talker-1",), key="another"),
            "stop",
            "does not accept the key in MOCK_KEY; renew it there",
        ),
    ],
)
def test_online_a_server_is_asked_for_key_and_model(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch, server: MockServer, state: str, words: str
) -> None:
    with listening(server):
        monkeypatch.setenv("MOCK_URL", server.root)
        outcome = project.run("doctor", "study.yaml", "--online", *ALLOW)
    assert (outcome.code, server.calls) == (2 if state == "stop" else 0, 0 if state == "stop" else 1)
    told = lines(outcome.out, "roles of talker")
    assert told == ([f"ok    roles of talker: its server {FOUND[0]}"] if state == "ok" else [])
    (line,) = lines(outcome.out, "server of talker")
    assert line.startswith(f"{state:<5} server of talker: {server.url}")
    assert words in line
    assert KEY not in outcome.out


@pytest.mark.parametrize("using", ["google", "anthropic"])
def test_vendors_are_asked_in_their_own_protocol(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch, using: str
) -> None:
    monkeypatch.setattr("cbtrun.plugins.remote_models.vendor_options.version", str)  # as if its SDK were here
    with listening(MockServer(models=("talker-1",), key=KEY)) as server:
        monkeypatch.setenv("MOCK_URL", server.root)
        change = f'models.talker={{using: {using}, base_url: "${{MOCK_URL}}", model: talker-1, api_key_env: MOCK_KEY}}'
        outcome = project.run("doctor", "study.yaml", "--online", *ALLOW, "--set", change)
    assert outcome.code == 0, outcome.out
    assert "has 'talker-1'" in outcome.out


def test_a_vendor_that_does_not_know_one_model_is_asked_for_all(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cbtrun.plugins.remote_models.vendor_options.version", str)
    with listening(MockServer(models=("talker-2", "b"), key=KEY)) as server:
        monkeypatch.setenv("MOCK_URL", server.root)
        change = 'models.talker={using: anthropic, base_url: "${MOCK_URL}", model: talker-1, api_key_env: MOCK_KEY}'
        outcome = project.run("doctor", "study.yaml", "--online", *ALLOW, "--set", change)
    assert "has no model 'talker-1' (did you mean 'talker-2'?); choose one that it lists: talker-2, b" in outcome.out


def test_a_server_that_does_not_answer_stops_the_study(project: StudyProject) -> None:
    outcome = project.run("doctor", "study.yaml", "--online", *ALLOW)
    assert outcome.code == 2
    assert "http://127.0.0.1:9/v1 does not answer" in outcome.out


def test_missing_extras_gpu_and_licences_stop_a_qlora_study(
    study_project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("cbtrun.plugins.local_models.gpus.gpu_memory", list)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    monkeypatch.setattr("cbtrun.before.doctor.this_machine.is_cached", lambda _: False)
    study = STUDY.replace("personas:\n", "personas:\n  train: {using: sampled, attributes: depression, count: 3}\n")
    study = study.replace("  patient:", "  base: {using: transformers, model: meta-llama/Llama-3.1-8B}\n  patient:")
    study += "corpus: {c: {using: written-course, author: talker, personas: train}}\n"
    study += "tune: {t: {using: sft, base: base, corpus: c, quantisation: nf4}}\n"
    project = study_project({"study.yaml": study})
    outcome = project.run("doctor", "study.yaml", "--runs", str(tmp_path))
    assert outcome.code == 2
    assert outcome.err == "", outcome.err
    stops = lines(outcome.out, r"tune\.t")
    assert {line.split(":")[1] for line in stops} == {" quantisation"}
    assert any("needs an NVIDIA GPU, and there is none here" in line for line in stops)
    assert "accept them at https://huggingface.co/meta-llama/Llama-3.1-8B" in lines(outcome.out, "weights of base")[0]


@pytest.mark.parametrize("using", ["google", "anthropic"])
def test_a_missing_sdk_stops_a_run_before_any_work(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch, using: str
) -> None:
    def absent(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr("cbtrun.plugins.remote_models.vendor_options.version", absent)
    change = f'models.talker={{using: {using}, model: talker-1, api_key_env: MOCK_KEY, base_url: "${{MOCK_URL}}"}}'
    outcome = project.run("run", "study.yaml", *ALLOW, "--set", change)
    assert outcome.code == 2
    assert f"needs the vendor's SDK, an optional extra; pip install 'cbtrun[{using}]'" in outcome.err
    assert not (project.folder / "runs").exists()


def test_a_full_disk_stops_the_study(project: StudyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    full = shutil.disk_usage("/")._replace(free=2**20)
    monkeypatch.setattr("cbtrun.before.doctor.this_machine.shutil.disk_usage", lambda _: full)
    outcome = project.run("doctor", "study.yaml", *ALLOW)
    assert outcome.code == 2
    assert lines(outcome.out, "disk")[0].startswith("stop  disk: 0 GiB free, about 1 needed")


def test_a_clock_before_the_installation_is_wrong(project: StudyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbtrun.before.doctor.this_machine.time.time", lambda: 0.0)
    outcome = project.run("doctor", "study.yaml", *ALLOW)
    assert lines(outcome.out, "clock")[0].startswith("stop  clock: before the day")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("header-flood", "more headers than any needs"),
        ("header-long", "longer than 8,190 bytes"),
        ("status-garbage", "does not begin with a status line of HTTP"),
        ("packed-garbage", "cannot be unpacked"),
    ],
)
def test_online_an_answer_that_is_no_http_is_named(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch, kind: str, words: str
) -> None:
    with raw_listening(lambda _: BROKEN_HTTP[kind]) as url:
        monkeypatch.setenv("MOCK_URL", url)
        outcome = project.run("doctor", "study.yaml", "--online", *ALLOW)
    (line,) = lines(outcome.out, "server of talker")
    assert line.startswith("stop")
    assert words in line


def test_online_no_more_of_an_answer_is_read_than_allowed(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = gzip.compress(b" " * 40 * 2**20)  # 40 KB that unpack to 40 MiB
    with raw_listening(lambda _: whole(bomb, "200 OK", "Content-Encoding: gzip")) as url:
        monkeypatch.setenv("MOCK_URL", url)
        outcome = project.run("doctor", "study.yaml", "--online", *ALLOW)
    (line,) = lines(outcome.out, "server of talker")
    assert "longer than max_reply_mib (8 MiB)" in line
