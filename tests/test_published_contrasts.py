"""Published differences: raw points, d as a range, and no totals on an assumed scale."""

from dataclasses import replace

import pytest
from report_studies import made_up_study

from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.published import published_table
from cbtrun.plugins.report.published_contrasts import published_contrasts, published_contrasts_table

CONTRAST = {
    "outcome": "ctrs.total",
    "factor": "tuning",
    "levels": ["cbt", "none"],
    "difference": 11.33,
    "sds": [8.0, 15.0],
    "source": "Somebody 2024",
}


def on_an_assumed_scale(given: ReportInput) -> ReportInput:
    """The same study, its rubric marked as assumed."""
    rated = given.results.ratings["ctrs"]
    assumed = rated.model_copy(update={"rubric": rated.rubric.model_copy(update={"assumed_scale": True})})
    return replace(given, results=given.results.model_copy(update={"ratings": {"ctrs": assumed}}))


def test_a_published_d_is_a_range_over_the_stated_sds() -> None:
    (found,) = published_contrasts({"compare_with": {"x": CONTRAST}})
    assert found.d == pytest.approx((11.33 / 15, 11.33 / 8))


def test_a_difference_stands_beside_ours_and_says_that_the_scale_is_assumed() -> None:
    given = on_an_assumed_scale(made_up_study(8, spec={"compare_with": {"x": CONTRAST}}))
    table = published_contrasts_table(given)
    assert table is not None
    (row,) = table.rows
    assert "on an assumed scale" in row.cells[0]
    assert row.cells[2] == "11.33"
    assert row.cells[5] == "0.76 to 1.42"
    assert row.detail == "Somebody 2024"


def test_a_mean_on_an_assumed_scale_neither_agrees_nor_differs() -> None:
    entry = {"outcome": "ctrs.total", "factor": "tuning", "level": "cbt", "mean": 70.0, "sd": 8.0, "n": 50}
    table = published_table(on_an_assumed_scale(made_up_study(8, spec={"compare_with": {"x": entry}})))
    assert table is not None
    assert table.rows[0].cells[-1] == "on an assumed scale: not comparable"
