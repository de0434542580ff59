"""The first screen: declared contrasts, what moved against the finding, what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cbtrun.contract.records import Comparison, Interval
from cbtrun.contract.records import Test as SignificanceTest
from cbtrun.plugins.report.first_forest import MOST_ROWS, declared_contrasts, first_forest
from cbtrun.plugins.report.first_notes import moved_against, what_is_missing
from cbtrun.plugins.report.inputs import ReportInput
from tests.helpers.report_studies import made_up_study


@pytest.fixture(scope="module")
def given() -> ReportInput:
    """Three arms of 20 sessions, one analysis on the total and two items."""
    return made_up_study(20)


def with_comparisons(given: ReportInput, *found: Comparison) -> ReportInput:
    """The study with other comparisons."""
    return replace(given, results=given.results.model_copy(update={"comparisons": found}))


def test_the_forest_shows_the_declared_outcome_of_each_analysis(given: ReportInput) -> None:
    assert [one.outcome for one in declared_contrasts(given)] == ["ctrs.total"]
    forest = first_forest(given)
    assert forest is not None
    assert forest.adjusted
    row = forest.parts[0].rows[0]
    assert (row.label, row.n, row.strong) == ("cbt − none", "17", True)
    assert row.bar is not None
    assert row.bar.low is not None
    assert row.bar.high is not None
    assert forest.parts[0].zero < row.bar.low < row.bar.dot < row.bar.high < 100


def test_outcomes_of_two_scales_are_drawn_on_two(given: ReportInput) -> None:
    total = given.results.comparisons[0]
    other = total.model_copy(update={"analysis": "new", "outcome": "ctrs.agenda", "estimate": 0.5, "interval": None})
    forest = first_forest(with_comparisons(given, total, other.model_copy(update={"analysis": "main2"})))
    assert forest is not None  # an analysis that the study lacks declares nothing, so an item of it is left out
    assert len(forest.parts) == 1
    study = {**given.study, "analysis": {**given.study["analysis"], "new": {"outcome": "ctrs.agenda"}}}
    forest = first_forest(replace(with_comparisons(given, total, other), study=study))
    assert forest is not None
    assert [part.title for part in forest.parts] == ["CTRS total", "Agenda"]
    assert forest.parts[1].rows[0].interval == "no interval"


def test_a_contrast_without_an_estimate_has_a_row_and_no_bar(given: ReportInput) -> None:
    nothing = given.results.comparisons[0].model_copy(update={"estimate": None, "interval": None, "tests": ()})
    forest = first_forest(with_comparisons(given, nothing))
    assert forest is not None
    assert (forest.parts[0].rows[0].bar, forest.parts[0].rows[0].p) == (None, "–")


def test_more_contrasts_than_a_screen_holds_are_counted(given: ReportInput) -> None:
    total = given.results.comparisons[0]
    many = [total.model_copy(update={"where": {"risk": (str(at),)}}) for at in range(MOST_ROWS + 3)]
    forest = first_forest(with_comparisons(given, *many))
    assert forest is not None
    assert forest.more == 3
    assert first_forest(with_comparisons(given)) is None


def test_an_outcome_that_was_shown_to_move_the_other_way_is_told_and_others_counted(given: ReportInput) -> None:
    total, agenda, homework = given.results.comparisons
    down = agenda.model_copy(
        update={
            "estimate": -2.3,
            "interval": Interval(low=-3.1, high=-1.5, method="t"),
            "tests": (SignificanceTest(name="t", statistic=-4.0, p=0.001, p_adjusted=0.003),),
        }
    )
    hint = homework.model_copy(
        update={"estimate": -0.2, "interval": Interval(low=-0.9, high=0.5, method="t"), "tests": ()}
    )
    told = [one.text for one in moved_against(with_comparisons(given, total, down, hint))]
    assert told == [
        "Agenda fell by 2.3 of 6 points (difference −2.3 [−3.1, −1.5], adjusted p = 0.003, n = 20).",
        "This is 1 of 2 other outcomes of this contrast; 1 more estimate points that way without being shown.",
    ]
    held = down.model_copy(update={"held_back": "the total was not shown"})
    told = [one.text for one in moved_against(with_comparisons(given, total, held))]
    assert told == [
        "Of 1 other outcome of this contrast none was shown to move the other way; 1 estimate points that way without "
        "being shown."
    ]


def test_what_is_missing_is_told_by_level(given: ReportInput) -> None:
    assert what_is_missing(given).text == "3 of 60 sessions have no CTRS total (cbt 2, none 1)."
