"""A run does what is not done yet, and nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.imported_study import STUDY, TRANSCRIPTS

Make = Callable[[Mapping[str, str]], StudyProject]


def made(study_project: Make, study: str = STUDY) -> StudyProject:
    return study_project({"study.yaml": study, "t.csv": TRANSCRIPTS})


def stage_lines(err: str) -> dict[str, str]:
    """Stage -> the rest of its line."""
    return dict(line.split(None, 1) for line in err.splitlines() if line.split(None, 1)[1:])


def test_a_study_runs_to_its_results(study_project: Make) -> None:
    project = made(study_project)
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    assert "results: runs/s/results.json" in outcome.out
    assert '"estimate"' in project.read("runs/s/results.json")


def test_the_same_command_again_does_nothing_and_says_so(study_project: Make) -> None:
    project = made(study_project)
    project.run()
    before = {path: path.stat().st_mtime_ns for path in (project.folder / "runs/s").rglob("*.json*")}
    outcome = project.run()
    assert "Nothing to do: every stage is up to date." in outcome.out
    assert {path: path.stat().st_mtime_ns for path in (project.folder / "runs/s").rglob("*.json*")} == before


def test_changing_the_analysis_calls_no_model(study_project: Make) -> None:
    project = made(study_project)
    project.run()
    project.write("study.yaml", STUDY.replace("levels: [good, poor]", "levels: [poor, good]"))
    lines = stage_lines(project.run().err)
    assert lines["ratings.ctrs"] == "up to date"
    assert "done" in lines["analysis.main"]
    assert "calls" not in lines["analysis.main"]


def test_changing_a_rubric_item_rates_again_and_repeats_nothing_earlier(study_project: Make) -> None:
    from cbtrun.plugins.everywhere.shipped_rubrics import rubric_folders

    text = (Path(rubric_folders()) / "ctrs.yaml").read_text(encoding="utf-8")
    project = made(study_project, STUDY.replace("rubric: ctrs,", "rubric: ./own.yaml,"))
    project.write("own.yaml", text)
    project.run()
    project.write("own.yaml", text.replace("name: Agenda", "name: Agenda setting"))
    lines = stage_lines(project.run().err)
    assert lines["sessions"] == "up to date"
    assert "4 calls" in lines["ratings.ctrs"]


def test_adding_a_session_costs_only_that_session(study_project: Make) -> None:
    project = made(study_project)
    project.run()
    project.write(
        "t.csv", TRANSCRIPTS + "e,therapist,Well done for coming in today.,good\ne,patient,Thank you so much.,good\n"
    )
    assert "1 call, 4 kept" in stage_lines(project.run().err)["ratings.ctrs"]


def test_output_that_somebody_edited_is_made_again(study_project: Make) -> None:
    project = made(study_project)
    project.run()
    before = project.read("runs/s/ratings/ctrs.jsonl")
    project.write("runs/s/ratings/ctrs.jsonl", before.splitlines()[0] + "\n")
    project.run()
    assert project.read("runs/s/ratings/ctrs.jsonl") == before


def test_a_run_folder_of_another_spec_is_refused(study_project: Make) -> None:
    project = made(study_project)
    project.run()
    project.write("other.yaml", STUDY)
    outcome = project.run("other.yaml")
    assert outcome.code == 2
    assert "was made by" in outcome.err
    assert "--set study=NAME" in outcome.err
    assert project.run("other.yaml", "--take-over").code == 0


def test_a_second_process_on_the_folder_is_refused(study_project: Make) -> None:
    from cbtrun.files.run_folder import RunFolder

    project = made(study_project)
    with RunFolder(project.folder / "runs/s").locked():
        outcome = project.run()
    assert outcome.code == 2
    assert "another cbtrun (process" in outcome.err


FAILING = """
from cbtrun.errors import StageError
from cbtrun.hookspecs import hookimpl

@hookimpl
def rate_sessions(context):
    raise StageError("the rater has left")
"""


def test_a_failed_stage_blocks_its_readers_and_leaves_no_old_output(study_project: Make) -> None:
    project = made(study_project)
    project.run()
    project.write("failing.py", FAILING)
    broken = STUDY.replace("{using: rubric, rubric: ctrs, raters: [rater]}", "{using: failing}")
    project.write("study.yaml", broken + "plugins: [./failing.py]\n")
    outcome = project.run("study.yaml", "--allow-local-plugins")
    assert outcome.code == 3
    assert "failed: ratings.ctrs: the rater has left" in outcome.err
    assert "failed: analysis.main: needs ratings.ctrs, which failed" in outcome.err
    assert not (project.folder / "runs/s/ratings/ctrs.jsonl").exists()
    assert not (project.folder / "runs/s/analysis/main.jsonl").exists()


def test_a_plugin_beside_the_study_runs_only_with_consent(study_project: Make) -> None:
    project = made(study_project, STUDY + "plugins: [./failing.py]\n")
    project.write("failing.py", "raise SystemExit('this ran')")
    outcome = project.run()
    assert outcome.code == 2
    assert "--allow-local-plugins" in outcome.err


def test_the_lock_file_says_what_ran(study_project: Make) -> None:
    import yaml

    project = made(study_project)
    project.run()
    lock = yaml.safe_load(project.read("runs/s/study.lock.yaml"))
    assert lock["resolved"]["ratings"]["ctrs"]["repeats"] == 1
    assert lock["packages"]["pydantic"]
    assert lock["hardware"]["cores"] >= 1


def test_a_part_of_the_results_that_fails_by_our_fault_loses_no_other_and_is_made_by_the_next_run(
    study_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = made(study_project)
    with monkeypatch.context() as patched:
        patched.setattr("cbtrun.results.build.reliability_of", lambda *_: 1 / 0)
        crash = project.run()
    assert crash.code == 1
    assert "ZeroDivisionError" in crash.err
    assert "reliability of ratings.ctrs could not be made; everything else of the results was written" in crash.err
    results = json.loads(project.read("runs/s/results.json"))
    assert results["comparisons"]
    assert results["counts"]["failures"] == {"results": 1}
    assert project.run().code == 0
    assert json.loads(project.read("runs/s/results.json"))["counts"]["failures"] == {}


def test_an_analysis_that_fails_by_our_fault_loses_no_results(
    study_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = made(study_project)
    monkeypatch.setattr("cbtrun.plugins.analyses.independent.analyse_block", lambda *_: 1 / 0)
    assert "ZeroDivisionError" in project.run().err
    results = json.loads(project.read("runs/s/results.json"))
    assert results["ratings"]["ctrs"]["outcomes"]
    assert results["counts"]["failures"] == {"analysis.main": 1}


def test_results_that_were_changed_by_hand_are_made_again(study_project: Make) -> None:
    project = made(study_project)
    assert project.run().code == 0
    before = project.read("runs/s/results.json")
    project.write("runs/s/results.json", "{}")
    assert project.run().code == 0
    assert project.read("runs/s/results.json") == before
