"""RUN as people give it: a folder, a study's name, its file, or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.two_controls import two_controls

STUDY = two_controls("finding")


@pytest.fixture
def project(study_project: Callable[[Mapping[str, str]], StudyProject]) -> StudyProject:
    return study_project({"study.yaml": STUDY})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    project = StudyProject(folder)
    project.write("study.yaml", STUDY)
    assert project.run().code == 0
    return folder


@pytest.fixture
def ran(project: StudyProject, finished: Path) -> StudyProject:
    """The project with its run, as if it had been made there."""
    shutil.copytree(finished / "runs", project.folder / "runs")
    lock = project.read("runs/finding/study.lock.yaml")
    project.write("runs/finding/study.lock.yaml", lock.replace(str(finished), str(project.folder)))
    return project


def test_a_run_is_found_by_its_folder_its_name_and_its_file(ran: StudyProject) -> None:
    said = [ran.run("status", given) for given in ("runs/finding", "finding", "study.yaml", "./runs/finding/")]
    assert {one.code for one in said} == {0}
    assert len({one.out.rpartition("  at work")[0] for one in said}) == 1
    order = [line.split()[0] for line in said[0].out.splitlines() if " done, " in line]
    assert order == [
        "personas.eval",
        "sessions",
        "ratings.ctrs",
        "analysis.main",
        "results",
        "report",
    ]


def test_status_alone_lists_the_runs_with_their_state(ran: StudyProject) -> None:
    shutil.copytree(ran.folder / "runs/finding", ran.folder / "runs/other")
    ran.write("runs/broken/study.lock.yaml", "[")
    lines = {line.split()[0]: line for line in ran.run("status").out.splitlines()}
    assert "finished" in lines["finding"]
    assert "6 of 6 stages" in lines["finding"]
    assert "cannot be read" in lines["broken"]
    assert ran.run("status", "--runs", "elsewhere").err == "elsewhere holds no run yet; cbtrun STUDY.yaml makes one\n"


def test_a_name_that_is_no_run_is_told_with_those_that_are(ran: StudyProject) -> None:
    said = ran.run("status", "findin")
    assert said.code == 2
    assert "no run 'findin': no such folder or file, and runs holds: finding (did you mean 'finding'?)" in said.err


def test_a_study_that_has_not_run_yet_is_told_so(project: StudyProject) -> None:
    assert "'study.yaml' has no run in runs yet (there is no runs/finding)" in project.run("status", "study.yaml").err
    project.write("rubric.yaml", "rubric: x\n")
    assert "it names no study" in project.run("status", "rubric.yaml").err
    project.write("notes.txt", "x")
    assert "neither a run folder nor a study's file" in project.run("status", "notes.txt").err


def test_two_runs_of_one_name_are_not_guessed_at(ran: StudyProject) -> None:
    shutil.copytree(ran.folder / "runs/finding", ran.folder / "finding")
    said = ran.run("status", "finding")
    assert said.code == 2
    assert "'finding' may be ./finding or runs/finding: write which" in said.err
    assert ran.run("status", "./finding").code == 0


def test_runs_in_another_folder_are_found_by_name_there(ran: StudyProject) -> None:
    (ran.folder / "runs").rename(ran.folder / "kept")
    for where in (("status", "finding", "--runs", "kept"), ("status", "--runs", "kept", "study.yaml")):
        assert ran.run(*where).code == 0


def test_report_compare_sheet_and_export_take_names_too(ran: StudyProject) -> None:
    assert ran.run("report", "--format", "csv").code == 0  # the only run there is
    shutil.copytree(ran.folder / "runs/finding", ran.folder / "runs/other")
    assert "which run? runs holds: " in ran.run("report").err
    assert ran.run("report", "other", "--format", "csv").code == 0
    for given in (("finding", "other"), ()):  # there are just two
        said = ran.run("compare", *given)
        assert (said.code, said.out.count("runs/finding"), said.out.count("runs/other")) == (0, 1, 1)
    assert ran.run("compare", "finding").code == 2
    assert ran.run("sheet", "study.yaml", "--sessions", "2").code == 0
    assert "no adapter 'a'" in ran.run("export", "finding", "a").err
    assert "sound" in ran.run("journal", "check", "runs/finding").out


def test_view_without_a_finished_run_says_so(project: StudyProject) -> None:
    assert "no finished run to show: runs holds no run" in project.run("view").err
