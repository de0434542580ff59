"""Which study is meant, and where every wrong word leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from cbtrun.study.shipped import shipped_studies
from cbtrun.testing.projects import StudyProject
from tests.helpers.imported_study import STUDY, TRANSCRIPTS

Make = Callable[[Mapping[str, str]], StudyProject]


def test_a_shipped_study_runs_from_any_folder_by_its_name_and_writes_there(study_project: Make) -> None:
    project = study_project({})
    ended = project.run("transcripts", "--set", "report=null")
    assert ended.code == 0, ended.err
    assert "the study that ships with cbtrun" in ended.err
    assert (project.folder / "runs/transcripts/results.json").exists()
    assert sorted(path.name for path in project.folder.iterdir()) == ["runs"]


@pytest.mark.parametrize("command", ["validate", "plan", "power"])
def test_every_command_that_takes_a_study_takes_its_name(study_project: Make, command: str) -> None:
    ended = study_project({}).run(command, "quickstart")
    assert ended.code == 0, ended.err
    assert "quickstart" in ended.out + ended.err


def test_a_file_of_the_folder_wins_over_a_study_that_ships_and_is_said_to(study_project: Make) -> None:
    project = study_project({"safety.yaml": STUDY, "t.csv": TRANSCRIPTS})
    checked = project.run("validate", "safety")
    assert "in study 's'" in checked.out
    assert "the file safety.yaml of this folder, not the study of that name that ships" in checked.err


def test_a_study_of_the_folder_goes_by_its_name_too(study_project: Make) -> None:
    project = study_project({"mine.yaml": STUDY, "t.csv": TRANSCRIPTS})
    assert "in study 's'" in project.run("validate", "mine").out
    assert project.run("mine").code == 0


def test_a_path_into_a_checkout_that_is_not_there_leads_to_the_name(study_project: Make) -> None:
    ended = study_project({}).run("specs/quickstart.yaml")
    assert ended.code == 2
    assert "(cbtrun quickstart)" in ended.err


def test_a_study_that_ships_is_not_registered_where_cbtrun_lies(study_project: Make) -> None:
    folder = shipped_studies()["transcripts"].parent
    before = {*folder.glob("*.registration.json")}
    ended = study_project({}).run("preregister", "transcripts")
    assert ended.code == 2
    assert "cbtrun new study NAME --like transcripts" in ended.err
    assert {*folder.glob("*.registration.json")} == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["vlidate", "x.yaml"], "Did you mean 'validate'?"),
        (["hepl"], "Did you mean 'help'?"),
        (["quikstart"], "Did you mean 'quickstart'?"),
        (["zzz"], "`cbtrun new study` the studies to start from"),
        (["validate", "quikstart"], "did you mean 'quickstart'?"),
        (["plugins", "opnai"], "did you mean 'openai'?"),
    ],
)
def test_a_misspelt_word_leads_on(study_project: Make, words: list[str], said: str) -> None:
    ended = study_project({}).run(*words)
    assert ended.code != 0
    assert said in ended.err


def test_help_is_a_command_of_its_own_and_begins_with_a_new_study(study_project: Make) -> None:
    project = study_project({})
    helped = project.run("help")
    assert helped.code == 0
    assert helped.out == project.run("--help").out
    assert helped.out.index("cbtrun new study") < helped.out.index("cbtrun validate")
    assert project.run("help", "journal", "export").out == project.run("journal", "export", "--help").out


def test_a_plugin_is_shown_with_what_it_does_and_takes(study_project: Make) -> None:
    shown = study_project({}).run("plugins", "openai").out
    assert "models: {using: openai, ...}" in shown
    assert "base_url" in shown
    assert "(required)" in shown
