"""Every study of the cookbook is right, and runs: as it is where it needs neither server nor GPU, else as a rehearsal."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.places import ROOT

Make = Callable[[Mapping[str, str]], StudyProject]
FOLDER = ROOT / "docs/cookbook"
STUDIES = sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != "warmth.yaml")
REHEARSED = ("two-prompts.yaml", "as-good-as.yaml", "tune-and-control.yaml", "how-much-data.yaml")
"""What needs a server, or minutes of a GPU."""
LONG = ("tune-and-control.yaml", "how-much-data.yaml")
QUICK = ("own-rubric.yaml",)
"""A sample for every run of the tests."""


@pytest.fixture
def cookbook(study_project: Make) -> StudyProject:
    project = study_project({})
    shutil.copytree(FOLDER, project.folder, dirs_exist_ok=True)
    return project


def test_there_are_ten_and_the_page_has_each_of_them() -> None:
    page = (ROOT / "docs/cookbook.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\[([\w-]+\.yaml)\]\(cookbook/\1\)$", page, re.MULTILINE)
    assert sorted(shown) == STUDIES
    assert len(STUDIES) == 10


def test_every_study_of_the_cookbook_is_right(cookbook: StudyProject) -> None:
    outcome = cookbook.run("validate", *STUDIES, "warmth.yaml")
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("no problems found in study") == 10


def _finished(cookbook: StudyProject, study: str) -> None:
    options = ("--rehearse",) if study in REHEARSED else ()
    outcome = cookbook.run(study, *options, "--set", "report=null")  # tests of the report make enough of them
    assert outcome.code == 0, outcome.err
    (results,) = Path(cookbook.folder / "runs").glob("*/results.json")
    found = json.loads(results.read_text(encoding="utf-8"))
    assert found["comparisons"]
    assert found["counts"]["ratings"] > 0


@pytest.mark.parametrize("study", QUICK)
def test_a_study_of_the_cookbook_runs(cookbook: StudyProject, study: str) -> None:
    _finished(cookbook, study)


@pytest.mark.slow
@pytest.mark.parametrize(
    "study", [pytest.param(one, marks=[pytest.mark.long] * (one in LONG)) for one in STUDIES if one not in QUICK]
)
def test_every_study_of_the_cookbook_runs(cookbook: StudyProject, study: str) -> None:
    _finished(cookbook, study)
