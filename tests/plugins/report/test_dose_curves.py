"""Curves of scores against a factor whose levels are numbers."""

from __future__ import annotations

from cbtrun.plugins.report.curves import Curve, Point, draw_curves
from cbtrun.plugins.report.dose_curves import dose_points
from cbtrun.results.records import GroupSummary


def group(level: str, mean: float | None, n: int = 4) -> GroupSummary:
    return GroupSummary(level=level, n=n, missing=0, mean=mean, sd=1.0, median=mean, personas=n)


def test_levels_stand_in_the_order_of_their_numbers() -> None:
    points = dose_points((group("30", 3.0), group("5", 1.0), group("15", 2.0)))
    assert [(one.at, one.mean, one.n) for one in points] == [(5.0, 1.0, 4), (15.0, 2.0, 4), (30.0, 3.0, 4)]


def test_a_factor_with_a_level_in_words_has_no_curve() -> None:
    assert dose_points((group("5", 1.0), group("none", 2.0), group("15", 2.0))) == ()


def test_a_level_without_a_value_is_left_out() -> None:
    assert [one.at for one in dose_points((group("5", None, 0), group("15", 2.0)))] == [15.0]


def test_a_curve_of_one_group_says_which_and_one_without_groups_says_nothing() -> None:
    points = (Point(1, "1", 4, 0.5, None), Point(2, "2", 4, 0.6, None))
    of_one_group, of_all = (draw_curves([Curve(level, points)], "turn", "share", 760) for level in ("careful", ""))
    assert [text.get_text() for text in of_one_group.legends[0].get_texts()] == ["careful"]
    assert of_all.legends == []
