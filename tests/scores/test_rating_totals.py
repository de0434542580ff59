"""Totals: missing is not zero, and one session has one value."""

from collections.abc import Sequence

import pytest

from cbtrun.contract.records import Rating
from cbtrun.errors import StageError
from cbtrun.ratings.rubric import Rubric
from cbtrun.scores.totals import (
    Aggregate,
    Value,
    item_value,
    outcome_names,
    prorated_total,
    rating_total,
    total_bounds,
)
from tests.helpers.rating_fakes import RUBRIC, rated_set, score_table
from tests.helpers.totalled import COUNTED, MEAN, rating


def outcome_values(
    ratings: Sequence[Rating],
    rubric: Rubric = RUBRIC,
    outcome: str = "total",
    aggregate: Aggregate = "mean",
    missing: str = "value",
) -> dict[str, Value]:
    """Session -> its one value; or what unscored items would make of it."""
    scores = score_table(ratings, rubric).of(outcome, aggregate)
    made_so = score_table(ratings, rubric, aggregate).of(outcome)
    assert made_so == scores  # putting single ratings together anew gives what making them so gives
    return {id: Value(getattr(score, missing), score.reason) for id, score in scores.items()}


def test_a_total_is_the_sum_of_the_items() -> None:
    assert rating_total(rating(4, 2), RUBRIC) == Value(6.0)


def test_a_total_with_an_unscored_item_is_none_with_the_reason() -> None:
    assert rating_total(rating(4, "evidence not found"), RUBRIC) == Value(None, "evidence not found")


def test_every_distinct_reason_is_told_once() -> None:
    assert rating_total(rating("cut off", "cut off"), RUBRIC).reason == "cut off"
    assert rating_total(rating("cut off", "not found"), RUBRIC).reason == "cut off; not found"


def test_an_item_missing_from_a_rating_is_unscored() -> None:
    assert rating_total(rating(4), RUBRIC) == Value(None, "not rated")
    assert item_value(rating(4), RUBRIC.item("homework")) == Value(None, "not rated")


def test_a_zero_is_a_score() -> None:
    assert rating_total(rating(0, 0), RUBRIC) == Value(0.0)


def test_a_subscale_needs_its_own_items_only() -> None:
    assert rating_total(rating(4, "cut off"), RUBRIC, "part") == Value(4.0)


def test_a_mean_leaves_out_what_does_not_apply_and_a_sum_does_not() -> None:
    assert rating_total(rating(4, "not applicable"), MEAN) == Value(4.0)
    assert rating_total(rating(4, "not applicable"), RUBRIC) == Value(None, "not applicable")
    assert rating_total(rating("not applicable", "not applicable"), MEAN).value is None


def test_a_prorated_total_puts_the_missing_item_where_the_others_are() -> None:
    assert prorated_total(rating(3, "cut off"), RUBRIC) == Value(6.0)
    assert prorated_total(rating(3, "cut off"), MEAN) == Value(3.0)


def test_too_little_is_not_prorated() -> None:
    assert prorated_total(rating("cut off", "cut off"), RUBRIC).reason == "cannot be prorated: 0 of 2 items scored"
    assert prorated_total(rating(3, 2, "cut off", rubric=COUNTED), COUNTED).value is None


def test_bounds_are_the_totals_that_the_missing_items_leave_open() -> None:
    assert total_bounds(rating(3, "cut off"), RUBRIC) == (Value(3.0), Value(9.0))
    assert total_bounds(rating(3, 2), RUBRIC) == (Value(5.0), Value(5.0))


def test_a_missing_item_without_an_upper_bound_leaves_the_total_without_one() -> None:
    lowest, highest = total_bounds(rating(3, 2, "cut off", rubric=COUNTED), COUNTED)
    assert lowest == Value(5.0)
    assert highest.value is None


def test_a_session_has_the_mean_over_raters_of_the_mean_over_repeats() -> None:
    ratings = [rating(4, 2), rating(6, 6, repeat=2), rating(0, 0, rater="b")]
    assert outcome_values(ratings, RUBRIC) == {"s1": Value(4.5)}


def test_a_session_may_have_the_median_instead() -> None:
    ratings = [rating(1, 0, repeat=at, rater=rater) for at in (1, 2) for rater in "ab"] + [rating(6, 6, rater="c")]
    assert outcome_values(ratings, RUBRIC, aggregate="median") == {"s1": Value(1.0)}


def test_one_rating_without_a_value_leaves_the_session_without_one() -> None:
    ratings = [rating(4, 2), rating(4, "cut off", rater="b")]
    assert outcome_values(ratings, RUBRIC) == {"s1": Value(None, "cut off")}
    assert outcome_values(ratings, RUBRIC, "agenda") == {"s1": Value(4.0)}


def test_sensitivity_analyses_fill_what_is_missing_only_when_asked() -> None:
    ratings = [rating(3, "cut off")]
    found = {way: outcome_values(ratings, RUBRIC, missing=way)["s1"].value for way in ("prorated", "lowest", "highest")}
    assert found == {"prorated": 6.0, "lowest": 3.0, "highest": 9.0}


def test_an_outcome_may_be_an_item_a_subscale_or_the_total() -> None:
    assert outcome_names(RUBRIC) == ["total", "part", "agenda", "homework"]
    values = {name: outcome_values([rating(4, 2)], RUBRIC, name)["s1"].value for name in outcome_names(RUBRIC)}
    assert values == {"total": 6.0, "part": 4.0, "agenda": 4.0, "homework": 2.0}


def test_an_unknown_outcome_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StageError, match="no outcome 'charm'; known: total, part, agenda, homework"):
        outcome_values([rating(4, 2)], RUBRIC, "charm")


def test_a_rubric_without_a_total_has_none() -> None:
    rubric = RUBRIC.model_copy(update={"total": None})
    with pytest.raises(StageError, match="no outcome 'total'"):
        outcome_values([], rubric)


def test_scores_of_another_version_of_the_rubric_are_not_pooled() -> None:
    with pytest.raises(StageError, match="scores of different rubrics are not pooled"):
        outcome_values([rating(4, 2), rating(4, 2, session="s2", rubric_digest="0" * 64)], RUBRIC)


def test_unscored_items_are_filled_in_for_sensitivity_alone() -> None:
    from cbtrun.scores.missing_scores import filled_means

    whole, gap = rating(4, 2), rating(6, "evidence not found", session="s2")
    rated = rated_set([whole, gap])
    (total,) = [
        one
        for one in filled_means("s", rated.values, rated.filled, {"all": {"all": ["s1", "s2"]}})
        if one.outcome == "s.total"
    ]
    assert (total.n, total.missing, total.mean) == (1, 1, 6)
    assert (total.prorated, total.lowest, total.highest) == ((6 + 12) / 2, (6 + 6) / 2, (6 + 12) / 2)
