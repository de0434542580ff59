"""Families across blocks: what error is held over, what waits for what, and that intervals never contradict p."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest

from cbtrun.analysis.comparison_families import adjusted, adjusted_block, adjusted_study
from cbtrun.contract import records
from cbtrun.contract.records import Comparison, Interval
from cbtrun.contract.study_view import StudyView

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def asked(analysis: str, p: float | None, outcome: str = "ctrs.total", **more: Any) -> Comparison:
    """One comparison with a paired t test of 20 pairs that has this p."""
    from scipy.stats import t

    statistic = float(t.isf((p or 1) / 2, 19))
    half = float(t.ppf(0.975, 19))
    span = Interval(low=statistic - half, high=statistic + half, method="paired t")
    fields: dict[str, Any] = {
        "design": "paired",
        "factor": "arm",
        "levels": ("a", "b"),
        "groups": (),
        "n": 20,
        "unit_of_analysis": "pair of one persona",
        "estimate": statistic,
        "interval": span,
        "tests": (records.Test(name="t", statistic=statistic, df=19, p=p),) if p is not None else (),
        "sentence": "",
    }
    return Comparison(analysis=analysis, outcome=outcome, **{**fields, **more})


def a_study(*names: str, **options: Any) -> StudyView:
    block = {"using": "paired", "outcome": "ctrs.total", "factor": "arm", "levels": ["a", "b"], **options}
    return StudyView({"analysis": dict.fromkeys(names, block)})


def adjusted_ps(found: list[Comparison]) -> list[float | None]:
    return [one.tests[0].p_adjusted if one.tests else None for one in found]


def test_declared_outcomes_of_all_blocks_are_one_family() -> None:
    found = adjusted_study([asked("x", 0.011), asked("y", 0.02), asked("z", 0.04)], a_study("x", "y", "z"))
    assert adjusted_ps(found) == pytest.approx([0.033, 0.04, 0.04])  # R: p.adjust(c(0.011, 0.02, 0.04), "holm")
    assert {one.family for one in found} == {3}


def test_items_count_as_shown_only_where_every_primary_outcome_is() -> None:
    items = [asked("x", 0.0001, "ctrs.agenda"), asked("x", 0.03, "ctrs.homework")]
    open_gate = adjusted_study([asked("x", 0.001), asked("y", 0.01), *items], a_study("x", "y"))
    assert adjusted_ps(open_gate) == pytest.approx([0.002, 0.01, 0.0002, 0.03])
    assert not any(one.held_back for one in open_gate)
    closed = adjusted_study([asked("x", 0.001), asked("y", 0.2), *items], a_study("x", "y"))
    assert adjusted_ps(closed) == pytest.approx([0.002, 0.2, 0.2, 0.2])
    assert [one.held_back for one in closed[2:]] == ["a primary outcome of the study was not shown"] * 2
    assert all(one.interval_adjusted is None for one in closed[2:])


def test_a_primary_outcome_that_could_not_be_tested_opens_no_gate_of_its_own() -> None:
    found = adjusted_study([asked("x", None), asked("x", 0.0001, "ctrs.agenda")], a_study("x"))
    assert found[1].held_back


def test_first_tests_are_one_family_whatever_their_names_and_second_tests_another_of_the_same_size() -> None:
    t, ranks = records.Test(name="t", statistic=3, df=19, p=0.01), records.Test(name="wilcoxon", statistic=3, p=0.02)
    both = [asked("x", 0.01, tests=(t, ranks)), asked("y", 0.02, tests=(ranks, t)), asked("z", 0.04)]
    found = adjusted_study(both, a_study("x", "y", "z"))
    assert adjusted_ps(found) == pytest.approx([0.03, 0.04, 0.04])
    assert found[0].tests[1].p_adjusted == pytest.approx(0.04)  # 0.02 and 0.01 of three, the third block's t with them


def test_pairs_of_levels_wait_for_the_test_of_all_and_are_a_family_of_their_own() -> None:
    whole = asked("x", 0.02, levels=("a", "b", "c"), design="omnibus", estimate=None, interval=None)
    pairs = [
        asked("x", p, levels=levels, design="pairwise")
        for p, levels in ((0.001, ("a", "b")), (0.03, ("a", "c")), (0.5, ("b", "c")))
    ]
    found = adjusted_study([whole, *pairs, asked("y", 0.3)], a_study("x", "y"))
    assert adjusted_ps(found) == pytest.approx([0.04, 0.003, 0.06, 0.5, 0.3])
    shut = adjusted_study([whole, *pairs, asked("y", 0.3), asked("z", 0.4)], a_study("x", "y", "z"))
    assert adjusted_ps(shut)[:4] == pytest.approx([0.06, 0.06, 0.06, 0.5])
    assert shut[1].held_back == "the test of all levels did not show a difference"


def test_subgroups_wait_for_their_test_of_interaction() -> None:
    inside = [asked("x", p, subgroup=True, where={"risk": (level,)}) for p, level in ((0.001, "none"), (0.4, "some"))]
    shape = {"design": "interaction", "factor": "risk", "levels": ("none", "some"), "moderated": ("a", "b")}
    for p, held in ((0.3, True), (0.01, False)):
        found = adjusted_study([asked("x", 0.001), asked("x", p, **shape), *inside], a_study("x"))
        assert [bool(one.held_back) for one in found] == [False, False, held, held]
    assert adjusted_ps(found)[2:] == pytest.approx([0.002, 0.4])


def test_a_block_with_a_family_of_its_own_stands_outside() -> None:
    alone = adjusted_block([asked("x", 0.01), asked("x", 0.02, "ctrs.agenda")], {"family": "block"})
    study = StudyView({"analysis": {"x": {"using": "paired", "outcome": "ctrs.total", "family": "block"}}})
    assert adjusted_ps(adjusted_study([*alone, asked("y", 0.04)], study)) == pytest.approx([0.02, 0.02, 0.04])


def test_an_analysis_without_such_options_joins_the_primary_family() -> None:
    study = StudyView({"analysis": {"x": {"using": "paired", "outcome": "ctrs.total"}, "theirs": {"using": "medians"}}})
    found = adjusted_study([asked("x", 0.02), asked("theirs", 0.03, "ctrs.agenda")], study)
    assert adjusted_ps(found) == pytest.approx([0.04, 0.04])


def test_nothing_is_adjusted_where_the_study_says_so() -> None:
    found = adjusted_study([asked("x", 0.02), asked("y", 0.03)], a_study("x", "y", correction="none"))
    assert adjusted_ps(found) == [None, None]


@pytest.mark.parametrize("correction", ["holm", "bh"])
def test_an_interval_of_a_family_and_its_adjusted_p_say_the_same(correction: Any) -> None:
    for ps in ((0.001, 0.03, 0.2), (0.011, 0.02, 0.04), (0.04, 0.045, 0.06), (0.2, 0.3, 0.9), (0.0001, 0.01, 0.05)):
        for one in adjusted([asked("x", p) for p in ps], correction):
            assert one.interval_adjusted is not None
            shown = (one.tests[0].p_adjusted or 0) < 0.05
            assert shown == (one.interval_adjusted.low >= 0), (ps, one.tests[0].p)


def test_three_contrasts_that_share_an_arm_hold_five_per_cent_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from family_simulation import family_errors

    sys.modules.pop("family_simulation")
    studies = 400
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / studies)
    found = family_errors("nothing differs", studies, 1, items=False)
    assert found["by_own_p"] > allowed  # each by itself does not hold it: the sample is large enough to see that
    assert found["primary"] <= allowed
    assert found["intervals_cover"] >= 1 - allowed
    assert found["disagreements"] == 0
