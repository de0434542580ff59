"""Intervals of a group's mean: on the scale of the outcome, and none where nothing varies."""

import pytest

from cbtrun.results.groups import describe
from cbtrun.results.records import GroupSummary
from cbtrun.statistics.clustered import clustered_interval
from tests.helpers.rating_fakes import a_session


def group(values: list[float], ends: tuple[float | None, float | None] = (0.0, 66.0)) -> GroupSummary:
    sessions = [a_session([("therapist", "Hello.")], id=f"s{at}", draw=f"d{at}") for at in range(len(values))]
    return describe("all", {f"s{at}": value for at, value in enumerate(values)}, {}, sessions, ends)


def test_the_interval_of_a_mean_stays_on_the_scale() -> None:
    # t(0.975, 1 df) = 12.706; mean 28, SE 3: -10.1 to 66.1.
    interval = group([25, 31]).interval
    assert interval is not None
    assert (interval.low, interval.high) == (0, 66)
    assert interval.method == "t over sessions, cut at the end of the scale"


def test_an_interval_within_the_scale_is_left_as_it_is() -> None:
    found, open_ended = group([25, 31, 30, 27, 28]).interval, group([25, 31, 30, 27, 28], (None, None)).interval
    assert found == open_ended
    assert found is not None
    assert found.method == "t over sessions"


def test_one_open_end_is_not_cut() -> None:
    interval = group([1, 9], (0.0, None)).interval
    assert interval is not None
    assert interval.low == 0
    assert interval.high == pytest.approx(5 + 12.706 * 4, abs=0.01)


def test_values_beyond_their_own_scale_keep_an_interval_that_holds_the_mean() -> None:
    interval = clustered_interval([70, 72, 74], ["a", "b", "c"], ends=(0, 66))
    assert interval is not None
    assert interval.low <= 72 <= interval.high


def test_equal_values_have_no_interval() -> None:
    assert group([6, 6, 6]).interval is None
    assert clustered_interval([0.1 + 0.2, 0.3, 0.3], ["a", "b", "c"]) is None
