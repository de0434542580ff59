"""Published values beside ours: means by Welch, differences in points or in d, nothing said across scales."""

from dataclasses import replace
from typing import Any

import pytest
from scipy.special import stdtrit

from cbtrun.contract.records import Interval
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.published import Beside, PublishedMean, difference, our_group, published_table
from cbtrun.plugins.report.published_contrasts import (
    BOUND,
    Ours,
    agreement,
    published_contrasts,
    published_contrasts_table,
)
from cbtrun.results.records import GroupSummary
from tests.helpers.report_studies import made_up_study

ABOUT: dict[str, Any] = {"source": "Somebody 2024, table 2", "outcome": "ctrs.total", "factor": "tuning"}
CONTRAST = {
    **ABOUT,
    "contrast": {"levels": ["cbt", "none"], "difference": 11.33, "p": "< 0.001", "sds": [8.0, 15.0]},
}
BESIDE = Beside("ctrs.total", "tuning")


def study_with(entry: dict[str, Any], personas: int = 20) -> ReportInput:
    """A made-up study that stands beside one published entry."""
    return made_up_study(personas, spec={"compare_with": {"theirs": entry}})


def on_an_assumed_scale(given: ReportInput) -> ReportInput:
    """The same study, its rubric marked as assumed."""
    rated = given.results.ratings["ctrs"]
    assumed = rated.model_copy(update={"rubric": rated.rubric.model_copy(update={"assumed_scale": True})})
    return replace(given, results=given.results.model_copy(update={"ratings": {"ctrs": assumed}}))


def cells_of(given: ReportInput) -> dict[str, str]:
    """Column -> cell of the one row of published differences."""
    table = published_contrasts_table(given)
    assert table is not None
    (row,) = table.rows
    return dict(zip(table.columns, row.cells, strict=True))


# Means ---------------------------------------------------------------------------------------------------------


def test_published_means_stand_beside_ours_with_a_welch_interval() -> None:
    # By hand, from summaries alone: ours 20 (SD 4, n 16), theirs 17 (SD 3, n 9): 3 -+ t(0.975, 20.87 df) * sqrt(2).
    half = 2.13145  # t(0.975, 15 df) times our standard error of 1
    span = Interval(low=20 - half, high=20 + half, method="t over sessions")
    ours = GroupSummary(level="cbt", n=16, missing=0, mean=20, sd=4, median=20, personas=16, interval=span)
    estimate, welch = difference(ours, PublishedMean(BESIDE, "cbt", mean=17, sd=3, n=9))
    assert estimate == 3
    assert welch is not None
    assert welch.low == pytest.approx(3 - 2.0804 * 2**0.5, abs=1e-3)


def test_a_mean_published_without_its_error_has_no_difference_to_judge() -> None:
    span = Interval(low=18, high=22, method="t over sessions")
    ours = GroupSummary(level="cbt", n=16, missing=0, mean=20, sd=4, median=20, personas=16, interval=span)
    assert difference(ours, PublishedMean(BESIDE, "cbt", mean=17, sd=3)) == (3, None)
    # t(0.975, 15) = 2.13145 of sqrt(SE ours^2 + 1): ours 2 / 2.13145; theirs known to the last digit adds no df.
    found = difference(ours, PublishedMean(BESIDE, "cbt", mean=17, se=1.0))[1]
    assert found is not None
    error = ((2 / 2.13145) ** 2 + 1) ** 0.5
    df = error**4 / ((2 / 2.13145) ** 4 / 15)
    assert found.high - 3 == pytest.approx(float(stdtrit(df, 0.975)) * error, abs=1e-4)


@pytest.mark.parametrize(("mean", "word"), [(5.0, "differs"), (None, "agrees")])
def test_published_means_say_whether_we_agree(mean: float | None, word: str) -> None:
    own = our_group(made_up_study(20), BESIDE, "cbt").mean
    entry = {**ABOUT, "levels": {"cbt": {"mean": own if mean is None else mean, "sd": 2.0, "n": 50}}}
    table = published_table(study_with(entry))
    assert table is not None
    assert table.rows[0].cells[-1] == word
    assert table.rows[0].detail == "Somebody 2024, table 2"


def test_where_keeps_only_the_sessions_that_a_mean_belongs_to() -> None:
    given = made_up_study(6)
    sessions = tuple(
        one.model_copy(update={"factors": {**one.factors, "family": "a" if at % 2 else "b"}})
        for at, one in enumerate(given.sessions)
    )
    entry = {**ABOUT, "where": {"family": "a"}, "levels": {"cbt": {"mean": 30}}}
    table = published_table(replace(given, sessions=sessions, study={**given.study, "compare_with": {"x": entry}}))
    assert table is not None
    (row,) = table.rows
    assert row.cells[1] == "cbt (family: a)"
    assert row.cells[4] == str(sum(one.factors == {"tuning": "cbt", "family": "a"} for one in sessions))
    assert row.sessions == {"tuning": "cbt", "family": "a"}


def test_a_level_without_sessions_of_ours_is_said_to_be_missing() -> None:
    table = published_table(study_with({**ABOUT, "levels": {"prompted": {"mean": 30}}}))
    assert table is not None
    assert table.rows[0].cells[3:] == ("–", "0", "–", "we have none")


def test_a_mean_on_another_scale_neither_agrees_nor_differs() -> None:
    entry = {**ABOUT, "levels": {"cbt": {"mean": 70.0, "sd": 8.0, "n": 50}}}
    words = []
    for given in (on_an_assumed_scale(study_with(entry)), study_with({**entry, "scale": "other"})):
        table = published_table(given)
        assert table is not None
        words.append(table.rows[0].cells[-1])
    assert words == ["on an assumed scale: not comparable", "on another scale: not comparable"]


# Differences ---------------------------------------------------------------------------------------------------


def test_a_published_d_is_a_range_over_the_stated_sds() -> None:
    (found,) = published_contrasts({"compare_with": {"x": CONTRAST}})
    assert found.d == pytest.approx((11.33 / 15, 11.33 / 8))


def test_without_sds_of_its_own_a_contrast_takes_those_of_its_levels() -> None:
    contrast = {"levels": ["cbt", "none"], "difference": 10}
    levels = {"cbt": {"mean": 40, "sd": 5}, "none": {"mean": 30, "sd": 4}, "other": {"mean": 1, "sd": 1}}
    (found,) = published_contrasts({"compare_with": {"x": {**ABOUT, "levels": levels, "contrast": contrast}}})
    assert found.sds == (5, 4)


def test_a_difference_on_an_assumed_scale_is_compared_by_effect_size() -> None:
    given = on_an_assumed_scale(study_with(CONTRAST))
    found = cells_of(given)
    assert found["Outcome"] == "CTRS total (on an assumed scale)"
    assert found["Published difference"] == "11.33 (p < 0.001)"
    assert found["Published d"] == "0.76 to 1.42"
    sds = [our_group(given, BESIDE, level).sd or 0 for level in ("cbt", "none")]
    spread = (sum(sd**2 for sd in sds) / 2) ** 0.5
    estimate = given.results.comparisons[0].estimate or 0
    assert found["Our d [95 % CI]"].startswith(f"{estimate / spread:.2f} [")
    assert found["In a word"] == "differs in d: ours is larger"


def test_a_contrast_is_turned_the_way_it_was_published() -> None:
    turned = {**CONTRAST, "contrast": {"levels": ["none", "cbt"], "difference": -11.33}}
    there, back = cells_of(study_with(CONTRAST)), cells_of(study_with(turned))
    low, high = there["Ours [95 % CI]"].split("[")[1].rstrip("]").split(", ")
    assert back["Ours [95 % CI]"].endswith(f"[−{high}, −{low}]")
    assert back["Contrast"] == "none − cbt"


def test_a_contrast_that_no_analysis_makes_says_so() -> None:
    entry = {**ABOUT, "contrast": {"levels": ["supportive", "none"], "difference": 3}}
    found = cells_of(study_with(entry))
    assert found["In a word"] == "no analysis of ours compares these"
    assert found["Published d"] == "no SD stated"


def span(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, method="t")


@pytest.mark.parametrize(
    ("ours", "same_scale", "word"),
    [
        (Ours(10, span(5, 15), 20), True, "agrees"),
        (Ours(20, span(15, 25), 20), True, "differs: ours is larger"),
        (Ours(2, span(-1, 5), 20), True, "differs: ours is smaller"),
        (Ours(-9, span(-12, -6), 20), True, "differs: the other direction"),
        (Ours(10, None, 1), True, "cannot be told"),
        (Ours(3, span(1, 5), 20, 1.0, span(0.4, 1.6)), False, "agrees in d"),
        (Ours(1, span(0, 2), 20, 0.3, span(0.0, 0.6)), False, BOUND),
        (Ours(0.3, span(-0.2, 0.8), 20, 0.1, span(-0.05, 0.25)), False, "differs in d: ours is smaller"),
        (Ours(1, span(0, 2), 20), False, "same direction; sizes cannot be compared"),
        (Ours(-1, span(-2, 0), 20), False, "another direction; sizes cannot be compared"),
        (Ours(-1, span(-3, 1), 20), False, "ours may have either direction; sizes cannot be compared"),
        (None, True, "no analysis of ours compares these"),
    ],
)
def test_agreement_is_told_in_a_word(ours: Ours | None, same_scale: bool, word: str) -> None:
    (published,) = published_contrasts({"compare_with": {"x": CONTRAST}})
    assert agreement(published, ours, same_scale=same_scale) == word
