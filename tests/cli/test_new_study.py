"""`cbtrun new study`: everything that it writes is whole, and the next step works."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from cbtrun.cli.new_study import TEMPLATES
from cbtrun.study.shipped import shipped_studies
from cbtrun.testing.projects import StudyProject

Make = Callable[[Mapping[str, str]], StudyProject]
EVERYTHING = [*TEMPLATES, *shipped_studies()]


@pytest.mark.parametrize("like", EVERYTHING)
def test_a_new_study_of_each_kind_is_valid_commented_and_under_its_own_name(study_project: Make, like: str) -> None:
    project = study_project({})
    assert project.run("new", "study", "mine", "--like", like).code == 0
    text = project.read("mine.yaml")
    checked = project.run("validate", "mine.yaml")
    assert checked.code == 0, checked.err
    assert "in study 'mine'" in checked.out
    assert text.startswith("# yaml-language-server: $schema=./.cbtrun/study.schema.json\n#\n# ")
    assert "cbtrun mine.yaml" in text.partition("\ncbtrun: 1")[0], "its opening says how to run it"
    assert "NAME" not in text


def test_its_data_and_what_it_extends_come_along_and_are_named_after_it(study_project: Make) -> None:
    project = study_project({})
    project.run("new", "study", "mine", "--like", "transcripts")
    project.run("new", "study", "newer", "--like", "paper-2026")
    assert "path: mine.transcripts.csv" in project.read("mine.yaml")
    assert "extends: newer.paper.yaml" in project.read("newer.yaml")
    assert (project.folder / "mine.transcripts.csv").stat().st_size > 1000
    assert (project.folder / "newer.paper.yaml").exists()


def test_all_studies_of_a_folder_share_one_schema_for_editors(study_project: Make) -> None:
    project = study_project({})
    project.run("new", "study", "one")
    project.run("new", "study", "two", "--like", "api")
    assert [path.name for path in project.folder.rglob("*.json")] == ["study.schema.json"]
    assert "models.openai" in json.loads(project.read(".cbtrun/study.schema.json"))["$defs"]


def test_without_a_name_or_with_an_unknown_kind_all_kinds_are_listed_with_a_line_each(study_project: Make) -> None:
    project = study_project({})
    listed = project.run("new", "study").out
    refused = project.run("new", "study", "mine", "--like", "quikstart")
    assert refused.code == 2
    assert "did you mean 'quickstart'?" in refused.err
    for kind in EVERYTHING:
        assert f"  {kind} " in listed
        assert f"  {kind} " in refused.err
    assert not list(project.folder.iterdir())


def test_a_file_that_is_there_stays_and_nothing_is_written_beside_it(study_project: Make) -> None:
    project = study_project({"mine.transcripts.csv": "mine"})
    refused = project.run("new", "study", "mine", "--like", "transcripts")
    assert refused.code == 2
    assert "is there already" in refused.err
    assert [path.name for path in project.folder.iterdir()] == ["mine.transcripts.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("like", TEMPLATES)
def test_a_template_can_be_rehearsed_as_it_is(study_project: Make, like: str) -> None:
    project = study_project({})
    project.run("new", "study", "mine", "--like", like)
    rehearsed = project.run("mine.yaml", "--rehearse")
    assert rehearsed.code == 0, rehearsed.err
    assert (project.folder / "runs/mine-rehearsal/report.html").exists()
