"""A study on a server, seen from the command line: plan, progress, retries by arm, and an outage."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

from cbtrun.plugins.mock_server.server import Fault, MockServer
from cbtrun.testing.projects import StudyProject
from tests.helpers.network_studies import ALLOW, CALLS, REPORTED, STUDY, listening

LOW = ("tries=4", "faults_to_stop=12")
MakeProject = Callable[[Mapping[str, str]], StudyProject]


@pytest.fixture
def project(study_project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> StudyProject:
    monkeypatch.setenv("MOCK_KEY", "a-key-of-some-length")
    return study_project({"study.yaml": STUDY})


@pytest.fixture
def reported(project: StudyProject) -> StudyProject:
    """The project with a report at its end."""
    project.write("study.yaml", REPORTED)
    return project


def test_a_plan_needs_no_network_and_says_calls_tokens_money_time_and_what_it_assumed(project: StudyProject) -> None:
    plan = project.run("plan", "study.yaml", "--set", "limits.usd=5")
    assert plan.code == 0
    assert "    therapist                  12 calls, ~3,120 tokens in, ~720 out, ~$0.00" in plan.out
    assert "  sessions                     to do  6 records, ~12.0 s waiting for servers" in plan.out
    assert "    rater                      6 calls" in plan.out
    assert f"  {CALLS} model calls in all, 0 of them in the journal, {CALLS} to make" in plan.out
    assert "  limits: 5 usd, over all runs" in plan.out
    assert "  assumed: every session has 4 turns of 60 tokens" in plan.out
    assert "  assumed: a call to therapist takes 3 s" in plan.out


def test_a_plan_counts_what_is_journaled_and_learns_from_it(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(MockServer()) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        assert project.run("study.yaml", *ALLOW).code == 0
    plan = project.run("plan", "study.yaml", "--set", "personas.eval.count=6")
    assert "therapist                  24 calls, 12 in the journal, 12 to make" in plan.out
    assert "a call to therapist goes on as the 12 in the journal did" in plan.out


def test_retries_are_shown_and_counted_for_each_arm(reported: StudyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(MockServer([Fault("500"), None, Fault("drop")])) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        run = reported.run("study.yaml", *ALLOW, "--concurrency", "1")
    assert run.code == 0
    assert "2 retries" in run.err
    assert "  sessions                     retries: one 2\n" in reported.run("status", "runs/calls").out
    assert "sessions,one,3,2,0.67\n" in reported.read("runs/calls/tables/retries.csv")
    assert "sessions,two,3,0,0.00\n" in reported.read("runs/calls/tables/retries.csv")
    assert "Retries by arm" in reported.read("runs/calls/report.html")


def test_retries_of_ratings_are_counted_for_the_arm_that_is_rated(
    reported: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(MockServer([*[None] * (CALLS - 6), Fault("503"), Fault("429")])) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        assert reported.run("study.yaml", *ALLOW, "--concurrency", "1").code == 0
    *_, one, two = reported.read("runs/calls/tables/retries.csv").splitlines()
    assert sorted([one, two]) in (
        ["ratings.ctrs,one,3,0,0.00", "ratings.ctrs,two,3,2,0.67"],
        ["ratings.ctrs,one,3,2,0.67", "ratings.ctrs,two,3,0,0.00"],
    )
    heard = [body for body in server.bodies if "<transcript>" in json.dumps(body)]
    assert heard
    assert not any("label" in body for body in heard)


def test_a_report_says_where_no_call_had_to_be_made_again(
    reported: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(MockServer()) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        assert reported.run("study.yaml", *ALLOW).code == 0
    assert "No call had to be made again." in reported.read("runs/calls/report.html")
    assert not (reported.folder / "runs/calls/tables/retries.csv").exists()


def test_status_says_from_another_process_how_far_a_run_is(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(MockServer(latency=1.0)) as server:
        command = [sys.executable, "-c", "from cbtrun.cli.main import main; main()", "study.yaml", *ALLOW]
        environment = {**os.environ, "MOCK_URL": server.url}
        run = subprocess.Popen(command, cwd=project.folder, env=environment, stderr=subprocess.DEVNULL)
        said = ""
        while run.poll() is None and not re.search(r"now: sessions +[1-9]", said):
            said = project.run("status", "runs/calls").out
        assert run.wait() == 0
    assert f"calls: running (process {run.pid})" in said
    assert re.search(r"  now: sessions +\d+/24 turns +\d+% +\d+ s, (\d+ s left, )?\d+ calls?", said), said
    assert "  to come: ratings.ctrs, analysis.main, results\n" in said
    assert "now:" not in project.run("status", "runs/calls").out


def test_an_outage_stops_the_run_once_and_the_same_command_goes_on(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = [None] * 10 + [Fault("503")] * 100
    with listening(MockServer(down)) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        limits = [f"models.{model}.limits.{limit}" for model in ("therapist", "patient") for limit in LOW]
        stopped = project.run("study.yaml", *ALLOW, *(part for limit in limits for part in ("--set", limit)))
        assert stopped.code == 4
        assert stopped.err.count("seems to be down") == 1
        assert "mock says 503" in stopped.err
        server.mend()
        assert project.run("study.yaml", *ALLOW).code == 0
    assert len(project.read("runs/calls/sessions.jsonl").splitlines()) == 6


@pytest.mark.parametrize("mode", ["JSON", "TOOLS", "JSON_SCHEMA"])
def test_a_rating_reaches_the_server_in_the_mode_of_its_model(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    with listening(MockServer()) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        run = project.run(
            "study.yaml", *ALLOW, "--set", f"models.rater.answers={mode}", "--set", "models.rater.model=r"
        )
    assert run.code == 0
    bodies = [body for body in server.bodies if body["model"] == "r"]
    assert len(bodies) == 6
    for body in bodies:
        if mode == "TOOLS":
            (tool,) = body["tools"]
            assert "agenda" in json.dumps(tool["function"]["parameters"])
            assert body["tool_choice"] == {"type": "function", "function": {"name": "answer"}}
        elif mode == "JSON_SCHEMA":
            assert "agenda" in json.dumps(body["response_format"]["json_schema"]["schema"])
        else:
            assert body["response_format"] == {"type": "json_object"}
    ratings = [json.loads(line) for line in project.read("runs/calls/ratings/ctrs.jsonl").splitlines()]
    assert {score["score"] for rating in ratings for score in rating["scores"]} == {0.0}


def test_a_vllm_server_also_gets_the_schema_as_a_constraint(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(MockServer()) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        sets = ("--set", "models.rater.constrain=vllm", "--set", "models.rater.model=r")
        assert project.run("study.yaml", *ALLOW, *sets).code == 0
    body = next(body for body in server.bodies if body["model"] == "r")
    assert "agenda" in json.dumps(body["structured_outputs"]["json"])
    assert "response_format" not in body


def test_a_model_that_changes_behind_its_name_is_told_on_terminal_status_headline_and_methods(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("study.yaml", STUDY + "report: {using: html, figures: [], tables: [csv]}\n")
    with listening(MockServer(changes={1: ("gpt-a", "fp_1"), 14: ("gpt-b", "fp_1")})) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        outcome = project.run("study.yaml", *ALLOW)
        again = project.run("study.yaml", *ALLOW)
    assert (outcome.code, server.calls) == (0, CALLS), outcome.err
    (warned,) = re.findall(r"^warning: (the model behind `therapist` changed .*)$", outcome.err, re.MULTILINE)
    assert re.search(r"gpt-a \(fp_1\) \d+ replies .*, then gpt-b \(fp_1\) \d+ replies", warned)
    assert re.search(r"Replies by arm, in that order: one \d, \d; two \d, \d$", warned)
    assert warned in again.err
    assert warned in project.run("status", "runs/calls").out
    page = (project.folder / "runs/calls/report.html").read_text().replace("T" + warned[1:], warned)
    opening, _, methods = page.partition('id="methods-text"')
    assert warned in opening.partition('class="headline"')[0]
    assert warned in methods
    assert "therapist,gpt-b,fp_1,one" in (project.folder / "runs/calls/tables/served.csv").read_text()
