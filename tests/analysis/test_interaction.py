"""Tests of interaction against R, and for each way in which subgroups can share personas."""

from __future__ import annotations

import math
from statistics import mean, stdev
from typing import Any

import pytest

from cbtrun.analysis.interaction import interactions
from cbtrun.analysis.table import AnalysisTable, Row, keep_where
from cbtrun.plugins.analyses.independent import compare_independent
from cbtrun.plugins.analyses.ordinal import compare_odds
from cbtrun.plugins.analyses.paired import compare_pairs
from cbtrun.statistics.sentences import usual_sentence
from cbtrun.statistics.subgroup_estimates import SubgroupEstimate, interaction_of

A, B, C = (3, 5, -1, 4, 6, 2, 0), (1, -2, 0, 2, 1, -1, 3, 0, 1), (4, 9, -3, 6, 2)
OPTIONS = {"factor": "tuning", "levels": ["cbt", "none"], "tests": ["t"]}


def estimate_of(values: tuple[float, ...]) -> SubgroupEstimate:
    return SubgroupEstimate(mean(values), stdev(values) / len(values) ** 0.5, len(values) - 1)


def test_two_subgroups_are_welchs_t_test_of_their_differences() -> None:
    found = interaction_of([estimate_of(A), estimate_of(B)])  # R: t.test(a, b)
    assert found.estimate == pytest.approx(2.158730158730)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((-0.303909740255, 4.621370057715))
    assert found.test is not None
    assert (found.test.df_error, found.test.p) == pytest.approx((9.171259426956, 0.078800506048))
    assert found.test.statistic == pytest.approx(3.909946094493)


def test_three_subgroups_are_welchs_one_way_test_of_their_differences() -> None:
    test = interaction_of([estimate_of(A), estimate_of(B), estimate_of(C)]).test  # R: oneway.test(y ~ g)
    assert test is not None
    assert (test.statistic, test.df, test.df_error) == pytest.approx((2.524827686482, 2, 7.821614729052))
    assert test.p == pytest.approx(0.142559006271)


def test_normal_estimates_are_cochrans_q() -> None:
    found = interaction_of([SubgroupEstimate(1.0, 0.5, math.inf), SubgroupEstimate(0.0, 0.5, math.inf)]).test
    assert found is not None
    assert (found.statistic, found.df, found.df_error) == (pytest.approx(2.0), 1, None)  # 1 / (0.25 + 0.25)


def test_one_subgroup_has_nothing_to_be_compared_with() -> None:
    assert interaction_of([estimate_of(A)]).test is None


def a_table(*rows: tuple[str, str, str, float]) -> AnalysisTable:
    """From (persona, level, half, value)."""
    made = [
        Row(f"s{at:03}", level, persona, 1, {"tuning": level, "half": half}, value, None)
        for at, (persona, level, half, value) in enumerate(rows)
    ]
    return AnalysisTable("ctrs.total", tuple(made))


def asked(table: AnalysisTable, compare: Any, options: dict[str, Any] = OPTIONS) -> Any:
    halves = sorted({row.levels["half"] for row in table.rows})
    parts = [keep_where(table, {"half": [half]}) for half in halves]
    (found,) = interactions(
        "half", [compare("main", options, table, 1)], [[compare("main", options, part, 1)] for part in parts], parts
    )
    return found


def test_subgroups_of_other_personas_are_compared_by_their_estimates() -> None:
    rows = []
    for half, values in (("a", A), ("b", B)):
        for at, value in enumerate(values):
            rows += [(f"{half}{at}", "cbt", half, 20.0 + value), (f"{half}{at}", "none", half, 20.0)]
    found = asked(a_table(*rows), compare_pairs)
    assert (found.design, found.factor, found.levels, found.moderated) == (
        "interaction",
        "half",
        ("a", "b"),
        ("cbt", "none"),
    )
    assert found.tests[0].p == pytest.approx(0.078800506048)
    assert usual_sentence(found).startswith("The difference between `cbt` and `none` was not shown to depend on half (")
    ranks_only = asked(a_table(*rows), compare_pairs, {**OPTIONS, "tests": ["wilcoxon"]})
    assert ranks_only.tests[0].p == pytest.approx(0.078800506048)


def test_subgroups_of_the_same_personas_are_compared_persona_by_persona() -> None:
    gaps = (2.0, 1.0, 4.0, -1.0, 3.0, 2.0)
    rows = []
    for at, gap in enumerate(gaps):
        rows += [
            (f"p{at}", "cbt", "a", 20 + gap),
            (f"p{at}", "none", "a", 20.0),
            (f"p{at}", "cbt", "b", 21.0),
            (f"p{at}", "none", "b", 21.0 - at % 2),
        ]
    found = asked(a_table(*rows), compare_pairs)
    each = [gap - at % 2 for at, gap in enumerate(gaps)]  # one difference of differences a persona: its t test
    t = mean(each) / (stdev(each) / len(each) ** 0.5)
    assert found.estimate == pytest.approx(mean(each))
    assert (found.tests[0].statistic, found.tests[0].df_error) == pytest.approx((t**2, 5))


def test_groups_whose_personas_stand_in_both_subgroups_are_compared_by_their_changes() -> None:
    changes = {"cbt": (1.0, 3.0, 2.0, 5.0), "none": (0.0, 1.0, -1.0)}
    rows = []
    for level, values in changes.items():
        for at, change in enumerate(values):
            rows += [(f"{level}{at}", level, "a", 20 + change + at), (f"{level}{at}", level, "b", 20.0 + at)]
    found = asked(a_table(*rows), compare_independent, {**OPTIONS, "tests": ["welch"]})
    assert found.estimate == pytest.approx(mean(changes["cbt"]) - mean(changes["none"]))
    assert found.tests[0].df == 1
    assert found.tests[0].df_error is not None


def test_odds_are_compared_by_their_logarithms() -> None:
    rows = [
        (f"{half}{at}", "cbt" if at % 2 else "none", half, float((at * 7 + (at % 2) * lift) % 5))
        for half, lift in (("a", 2), ("b", 0))
        for at in range(24)
    ]
    found = asked(a_table(*rows), lambda name, options, table, _: compare_odds(name, options, table))
    assert found.tests[0].df_error is None
    assert 0 < found.tests[0].p <= 1


def test_what_cannot_be_tested_says_so() -> None:
    rows = [("p0", "cbt", "a", 3.0), ("p0", "none", "a", 2.0), ("p1", "cbt", "b", 3.0), ("p1", "none", "b", 2.0)]
    found = asked(a_table(*rows), compare_pairs)
    assert found.tests == ()
    assert "without an interval: a, b" in found.notes[0]
    assert usual_sentence(found).startswith("Whether the difference between `cbt` and `none` depends on half could not")
