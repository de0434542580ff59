"""The picture for a slide: question, forest with n and interval, and the warning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from cbtrun.plugins.report.card import MOST_ROWS, draw_card, save_card
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.testing.projects import StudyProject
from tests.helpers.report_studies import made_up_study
from tests.helpers.two_controls import two_controls


@pytest.fixture(scope="module")
def given() -> ReportInput:
    return replace(made_up_study(8, figures=(), tables=()), embedded=("rater",))


def words(given: ReportInput) -> list[str]:
    return [one.get_text() for one in draw_card(given).axes[0].texts]


def test_a_card_holds_title_finding_forest_n_and_warning(given: ReportInput) -> None:
    said = words(given)
    assert "raise its CTRS score?" in said[0]
    assert said[1].replace("\n", " ").startswith("Sessions of cbt scored")
    assert "cbt − none" in said
    assert str(given.results.comparisons[0].n) in said
    warned = next(one for one in said if "came with cbtrun and is a toy" in one.replace("\n", " "))
    assert "not validated for CBT" in warned.replace("\n", " ")


def test_many_contrasts_are_counted_and_long_words_are_cut(given: ReportInput) -> None:
    one = given.results.comparisons[0]
    many = tuple(one.model_copy(update={"analysis": f"a{at}"}) for at in range(MOST_ROWS + 3))
    results = given.results.model_copy(update={"comparisons": many, "title": "word " * 100})
    said = words(replace(given, results=results))
    assert said.count("cbt − none") == MOST_ROWS
    assert "and 3 more in the report" in said
    assert said[0].endswith("…")
    assert said[0].count("\n") == 1


def test_a_study_without_comparisons_has_a_card(given: ReportInput, tmp_path: Path) -> None:
    bare = replace(given, results=given.results.model_copy(update={"comparisons": ()}))
    written = save_card(bare, tmp_path)
    assert [one.name for one in written] == ["card.svg", "card.png"]
    assert (tmp_path / "card.png").read_bytes()[:4] == b"\x89PNG"


def test_report_card_writes_the_picture_and_nothing_else(
    study_project: Callable[[Mapping[str, str]], StudyProject],
) -> None:
    project = study_project({"study.yaml": two_controls("controls", turns=2)})
    assert project.run().code == 0
    run = project.folder / "runs/controls"
    before = {one.name for one in run.iterdir()}
    done = project.run("report", "controls", "--card")
    assert done.code == 0, done.err
    assert {one.name for one in run.iterdir()} - before == {"card.svg", "card.png"}
    assert "wrote runs/controls/card.png" in done.out
