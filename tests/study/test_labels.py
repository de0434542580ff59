"""Labels: written beside what they are of, checked, and no part of what decides a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from cbtrun.ratings.rubric import rubric_digest
from cbtrun.ratings.rubric_file import read_rubric
from cbtrun.testing.projects import StudyProject
from tests.helpers.imported_study import STUDY, TRANSCRIPTS
from tests.helpers.places import RUBRICS

Make = Callable[[Mapping[str, str]], StudyProject]
LABELLED = STUDY.replace("raters: [rater]}", "raters: [rater], item_labels: {agenda: Plan of the hour}}") + (
    "factors: {quality: {label: Judged, levels: {good: Judged good, poor: {label: Judged poor}}}}\n"
)


def test_a_label_changes_no_byte_of_what_programs_read_and_does_nothing_again(study_project: Make) -> None:
    project = study_project({"study.yaml": STUDY, "t.csv": TRANSCRIPTS})
    assert project.run().code == 0
    before = project.read("runs/s/results.json")
    project.write("study.yaml", LABELLED)
    again = project.run()
    assert again.code == 0, again.err
    assert project.read("runs/s/results.json") == before
    assert "Nothing to do" in again.out
    assert "`Judged good`" in again.out
    assert "`good`" not in again.out


def test_a_label_in_a_rubric_is_no_part_of_its_digest(study_project: Make) -> None:
    text = (RUBRICS / "ctrs.yaml").read_text(encoding="utf-8")
    path = (
        study_project({"ctrs.yaml": text.replace("- id: agenda\n", "- id: agenda\n    label: Plan\n")}).folder
        / "ctrs.yaml"
    )
    assert read_rubric(path).items[0].label == "Plan"
    assert rubric_digest(read_rubric(path)) == rubric_digest(read_rubric(RUBRICS / "ctrs.yaml"))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("factors: {qualty: {label: x}}", "factors/qualty: there is no factor 'qualty' (did you mean 'quality'?)"),
        ("factors: {quality: {levels: {good: Same, poor: Same}}}", "'good' is called 'Same' as well"),
        ("factors: {quality: {levels: {good: poor, poor: x}}}", "'poor' is called 'poor' as well"),
        ("factors: {quality: {label: 'a `b`'}}", "expected a text of one line and 60 characters at most"),
    ],
)
def test_a_wrong_label_is_told_with_its_line(study_project: Make, written: str, said: str) -> None:
    project = study_project({"study.yaml": f"{STUDY}{written}\n", "t.csv": TRANSCRIPTS})
    checked = project.run("validate", "study.yaml")
    assert checked.code == 2
    assert said in checked.err


def test_a_label_of_an_item_that_is_not_there_is_told(study_project: Make) -> None:
    project = study_project({"study.yaml": LABELLED.replace("agenda:", "agnda:"), "t.csv": TRANSCRIPTS})
    assert "there is no outcome 'agnda' (did you mean 'agenda'?)" in project.run("validate", "study.yaml").err
