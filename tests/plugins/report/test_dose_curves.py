"""Curves of scores against a factor whose levels are numbers."""

from __future__ import annotations

from typing import Any

from cbtrun.contract.labels import labels_of
from cbtrun.plugins.report.curves import Curve, Point, draw_curves
from cbtrun.plugins.report.dose_curves import dose_plates, dose_points
from cbtrun.plugins.report.labelled import labelled
from cbtrun.results.records import GroupSummary
from tests.helpers.report_studies import made_up_study


def group(level: str, mean: float | None, n: int = 4) -> GroupSummary:
    return GroupSummary(level=level, n=n, missing=0, mean=mean, sd=1.0, median=mean, personas=n)


def test_levels_stand_in_the_order_of_their_numbers() -> None:
    points = dose_points((group("30", 3.0), group("5", 1.0), group("15", 2.0)), ("30", "5", "15"))
    assert [(one.at, one.mean, one.n) for one in points] == [(5.0, 1.0, 4), (15.0, 2.0, 4), (30.0, 3.0, 4)]


def test_a_factor_with_a_level_in_words_has_no_curve() -> None:
    assert dose_points((group("5", 1.0), group("none", 2.0), group("15", 2.0)), ("5", "none", "15")) == ()


def test_a_level_without_a_value_is_left_out() -> None:
    assert [one.at for one in dose_points((group("5", None, 0), group("15", 2.0)), ("5", "15"))] == [15.0]


def test_a_curve_of_one_group_says_which_and_one_without_groups_says_nothing() -> None:
    points = (Point(1, "1", 4, 0.5, None), Point(2, "2", 4, 0.6, None))
    of_one_group, of_all = (draw_curves([Curve(level, points)], "turn", "share", 760) for level in ("careful", ""))
    assert [text.get_text() for text in of_one_group.legends[0].get_texts()] == ["careful"]
    assert of_all.legends == []


def test_numeric_levels_with_labels_keep_their_curve_and_show_their_labels() -> None:
    doses = {"untuned": "0", "cbt": "58", "supportive": "7"}
    arms: dict[str, Any] = {
        name: {"therapist": "tiny", "factors": {"tuning": name.replace("untuned", "none"), "courses": dose}}
        for name, dose in doses.items()
    }
    factors = {
        "courses": {"label": "Courses in the corpus", "levels": {"0": "no course", "7": "a week", "58": "all of them"}}
    }
    given = made_up_study(4, spec={"arms": arms, "factors": factors, "tune": {}}, transcripts=False)
    plate = next(dose_plates(labelled(given, labels_of(given.study))))
    axes = plate.draw(760).axes[0]
    assert plate.title == "CTRS total against Courses in the corpus"
    assert [one.get_text() for one in axes.get_xticklabels()] == ["no course", "a week", "all of them"]
    assert [*axes.get_xticks()] == [0.0, 7.0, 58.0]
    assert axes.get_ylabel() == "points of 66"
