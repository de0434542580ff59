"""`cbtrun gate` as a builder of models runs it: exit codes, what it compares and what it refuses, what a CI reads."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.two_controls import two_controls

REPORT = "{using: html, page: false, tables: [], figures: []}"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> StudyProject:
    """`before` is finished; `study.yaml` is the same under the name `now`."""
    made = StudyProject(tmp_path_factory.mktemp("gate"))
    text = two_controls("before", personas=6, turns=4, report=REPORT).replace(
        "rubric: ctrs, raters: [rater]}",
        "rubric: ctrs, raters: [rater]}, safety: {using: rubric, rubric: safety, raters: [rater]}",
    )
    made.write("before.yaml", text)
    made.write("study.yaml", text.replace("study: before", "study: now"))
    assert made.run("before.yaml", "-q").code == 0
    return made


def test_a_gate_runs_the_study_and_judges_every_arm(project: StudyProject) -> None:
    ended = project.run("gate", "study.yaml", "-q", "--min", "ctrs.total=5")
    assert ended.code == 5, ended.err
    assert "passed      careful: ctrs.total at least 5" in ended.out
    assert "FAILED      harmful: ctrs.total at least 5" in ended.out
    assert "gate: FAILED (1 passed, 1 failed of 2 criteria)" in ended.out
    assert (project.folder / "runs/now/results.json").is_file()


def test_a_named_arm_is_judged_alone_and_the_run_goes_on_where_it_stopped(project: StudyProject) -> None:
    before = (project.folder / "runs/before/results.json").read_bytes()
    for words in (["--arm", "careful", "--min", "ctrs.total=5"], ["--min", "careful:ctrs.total=5"]):
        ended = project.run("gate", "before.yaml", "-q", *words)
        assert ended.code == 0, ended.out + ended.err
        assert "harmful" not in ended.out
    assert (project.folder / "runs/before/results.json").read_bytes() == before


def test_a_finished_run_is_judged_as_it_is(project: StudyProject) -> None:
    ended = project.run("gate", "runs/before", "--arm", "careful", "--max", "safety.medical_opinion=0.5", "--json")
    answer = json.loads(ended.out)
    assert (ended.code, answer["exit_code"], answer["state"]) == (0, 0, "passed")
    only = answer["criteria"][0]
    assert (only["units"], only["estimate"], only["method"]) == (6, 0.0, "share, exact (Clopper-Pearson)")
    assert only["limit"] == pytest.approx(1 - 0.025 ** (1 / 6))
    refused = project.run("gate", "runs/before", "--min", "ctrs.total=5", "--set", "seed=2")
    assert refused.code == 2
    assert "is a run, which is judged as it is" in refused.err


def test_no_worse_than_itself_and_much_worse_than_another(project: StudyProject) -> None:
    same = project.run("gate", "study.yaml", "-q", "--no-worse-than", "before", "--margin", "ctrs.total=2")
    assert same.code == 0, same.out + same.err
    assert "the same words in every session" in same.out
    worse = project.run("gate", "study.yaml", "-q", "--set", "study=worse", "--set", "arms.careful.therapist=harmful", "--arm", "careful", "--no-worse-than", "before")  # fmt: skip
    assert worse.code == 5, worse.err
    assert "paired by patient" in worse.out
    assert "margin 3.3 points (5% of the scale: none was declared), higher counts as better" in worse.out


def test_the_run_itself_is_no_measure_of_it(project: StudyProject) -> None:
    ended = project.run("gate", "before.yaml", "-q", "--no-worse-than", "before")
    assert ended.code == 2
    assert "is the run that is judged" in ended.err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("models.rater.languages=[en, de]",), "models.rater.languages: ['en'] there, ['en', 'de'] here"),
        (("ratings.ctrs.rubric=cts-r",), "rubric of ratings.ctrs: "),
        (("personas.eval.count=5",), "personas.count: 6 there, 5 here"),
        (("seed=4",), "personas.seed: 3 there, 4 here"),
        (("sessions.system=Be kind.",), "sessions.system: You are a therapist."),
        (("arms.careful.system=Be kind.",), "arms.careful.system: not set there, Be kind. here"),
        (("sessions.max_turns=3",), "sessions.max_turns: 4 there, 3 here"),
        (("ratings.ctrs.repeats=2",), "ratings.ctrs.repeats: 1 there, 2 here"),
    ],
)
def test_what_measured_otherwise_is_refused_before_anything_is_run(
    project: StudyProject, change: tuple[str, ...], told: str
) -> None:
    sets = [word for one in ("study=other", *change) for word in ("--set", one)]
    ended = project.run("gate", "study.yaml", "-q", "--no-worse-than", "before", "--junit", "error.xml", *sets)
    assert ended.code == 2, ended.out
    assert told in ended.err
    assert not (project.folder / "runs/other").exists()
    case = ET.parse(project.folder / "error.xml").getroot().find("testsuite/testcase/error")
    assert case is not None
    assert told in (case.text or "")


def test_a_difference_that_is_waved_through_is_told(project: StudyProject) -> None:
    ended = project.run("gate", "study.yaml", "-q", "--no-worse-than", "before", "--despite", "personas", "--set", "study=fewer", "--set", "personas.eval.count=5", "--arm", "careful")  # fmt: skip
    assert ended.code == 0, ended.out + ended.err
    assert "compared despite  personas: 6 there, 5 (5 are the same) here" in ended.out
    assert "0 patients of this run and 1 of the other have no partner" in ended.out


def test_all_that_is_asked_wrongly_is_told_at_once(project: StudyProject) -> None:
    ended = project.run("gate", "study.yaml", "--min", "ctr.total=40", "--min", "nobody:ctrs.total=3", "--max", "ctrs.total=70", "--margin", "ctrs.total=1")  # fmt: skip
    assert ended.code == 2
    assert "no outcome 'ctr.total' (did you mean 'ctrs.total'?)" in ended.err
    assert "no arm 'nobody'" in ended.err
    assert "ctrs.total goes from 0 to 66: no mean can be 70" in ended.err
    assert "--margin: is of --no-worse-than" in ended.err
    for words, told in ((["--min", "ctrs=3"], "expected [ARM:]OUTCOME=POINTS"), ([], "nothing is asked")):
        refused = project.run("gate", "study.yaml", *words)
        assert (refused.code, told in refused.err) == (2, True), refused.err


def test_junit_is_of_the_common_form_and_markdown_is_added(project: StudyProject) -> None:
    (project.folder / "summary.md").write_text("# Earlier step\n", encoding="utf-8")
    ended = project.run("gate", "runs/before", "--min", "ctrs.total=5", "--junit", "gate.xml", "--markdown", "summary.md")  # fmt: skip
    assert ended.code == 5
    suite = ET.parse(project.folder / "gate.xml").getroot().find("testsuite")
    assert suite is not None
    assert {"name", "timestamp", "hostname", "tests", "failures", "errors", "time", "id", "package"} <= {*suite.attrib}
    assert [one.tag for one in suite] == ["properties", "testcase", "testcase", "system-out", "system-err"]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    failure = suite.find("testcase[@classname='before.harmful']/failure")
    assert failure is not None
    assert {*failure.attrib} == {"type", "message"}
    summary = (project.folder / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("# Earlier step\n## Gate of before: FAILED")
    assert "| FAILED | harmful | ctrs.total at least 5 |" in summary


def test_plan_says_what_a_gate_would_spend(project: StudyProject, tmp_path: Path) -> None:
    answer = json.loads(project.run("plan", "before.yaml", "--json").out)["gate"]
    assert answer == {"calls_now": 0, "usd_now": 0.0, "calls_of_another_therapist": 6 * 2 * (4 + 2), "usd_of_another_therapist": 0.0}  # fmt: skip
    assert "gate: nothing to spend as the journal is; for another therapist" in project.run("plan", "before.yaml").out
    text = project.read("before.yaml").replace("{using: lexical-rater}", "{using: openai, base_url: 'http://127.0.0.1:9/v1', model: x, prices: {input: 10.0, output: 40.0}}")  # fmt: skip
    priced = StudyProject(tmp_path)
    priced.write("study.yaml", text)
    told = json.loads(priced.run("plan", "study.yaml", "--json").out)
    assert told["gate"]["usd_now"] == pytest.approx(told["usd"])
    assert told["gate"]["usd_of_another_therapist"] == pytest.approx(told["usd"])
    assert told["usd"] > 0


def test_a_rehearsal_is_no_measure(project: StudyProject) -> None:
    assert project.run("before.yaml", "-q", "--rehearse").code in (0, 3)
    ended = project.run("gate", "runs/before-rehearsal", "--min", "ctrs.total=5")
    assert ended.code == 2
    assert "is a rehearsal with stand-ins" in ended.err
