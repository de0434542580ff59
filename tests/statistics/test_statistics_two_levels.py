"""Two groups and pairs against numbers from R, and at the edges where textbooks stop."""

import json
import math
from typing import Any

import pytest

from cbtrun.errors import StatisticsError
from cbtrun.statistics import effect_sizes, paired, two_groups
from cbtrun.statistics.samples import as_sample, describe, stored_float
from tests.helpers.places import TESTS

GOLDEN = json.loads((TESTS / "golden/statistics/two_levels.json").read_text())["cases"]


def _ours(method: str, x: list[float], y: list[float]) -> dict[str, Any]:
    """What our function for `method` gives, under the names of the golden file."""
    differences = [a - b for a, b in zip(x, y, strict=False)]
    if method in ("welch", "paired_t"):
        estimate = two_groups.mean_difference(x, y) if method == "welch" else paired.mean_of_differences(differences)
        test = (two_groups.welch_test(x, y) if method == "welch" else paired.paired_t_test(differences)).test
        limits = {"estimate": estimate.value, "low": estimate.interval.low, "high": estimate.interval.high}
        return {**limits, "statistic": test.statistic, "df": test.df, "p": test.p}
    if method in ("mann_whitney", "wilcoxon"):
        test = (
            two_groups.mann_whitney_test(x, y) if method == "mann_whitney" else paired.wilcoxon_test(differences)
        ).test
        return {"statistic": test.statistic, "p": test.p}
    within = method in ("dz", "rank_biserial")
    effect = getattr(effect_sizes, method)(*([differences] if within else [x, y])).effect
    limits = {"low": effect.interval.low, "high": effect.interval.high} if effect.interval else {}
    return {"value": effect.value, **limits}


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{case['method']}-{case['name']}")
def test_numbers_agree_with_r_to_six_digits(case: dict[str, Any]) -> None:
    expected = {key: value for key, value in case["expected"].items() if not key.startswith("effectsize")}
    ours = _ours(case["method"], case["input"]["x"], case["input"]["y"])
    assert ours == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("case", [case for case in GOLDEN if case["method"] == "hedges_g"], ids=lambda c: c["name"])
def test_hedges_g_agrees_with_effectsize_as_far_as_its_optimiser_goes(case: dict[str, Any]) -> None:
    ours = _ours("hedges_g", case["input"]["x"], case["input"]["y"])
    theirs = [case["expected"][key] for key in ("effectsize", "effectsize_low", "effectsize_high")]
    assert [ours["value"], ours["low"], ours["high"]] == pytest.approx(theirs, abs=1e-5)


def test_auc_counts_pairs_won_and_half_of_the_ties() -> None:
    # By hand: of the 3 x 2 pairs, 3 beats 2 and 2.5 (2), 2 ties 2 (1/2), 1 wins none: 2.5 of 6.
    assert effect_sizes.auc([1, 2, 3], [2, 2.5]).effect.value == pytest.approx(2.5 / 6)


def test_cliffs_delta_is_twice_the_auc_minus_one_with_its_interval() -> None:
    area = effect_sizes.auc([1, 2, 3, 5], [2, 2.5, 0]).effect
    delta = effect_sizes.cliffs_delta([1, 2, 3, 5], [2, 2.5, 0]).effect
    assert [delta.value, delta.interval.low, delta.interval.high] == pytest.approx(
        [2 * area.value - 1, 2 * area.interval.low - 1, 2 * area.interval.high - 1]
    )


def test_perfect_separation_keeps_an_interval_that_reaches_one_and_names_its_method() -> None:
    effect = effect_sizes.auc([7, 8, 9, 10], [1, 2, 3]).effect
    assert effect.value == 1
    assert effect.interval.high == 1
    assert 0.3 < effect.interval.low < 0.95
    assert "Newcombe" in effect.interval.method


def test_newcombe_interval_solves_the_published_equation() -> None:
    # Newcombe 2006, method 5: |estimate - theta| = z sqrt(V(theta)), V with both sizes replaced by their mean less one.
    interval = effect_sizes.newcombe_interval(0.7, 12, 20)
    for theta in (interval.low, interval.high):
        star = 15
        spread = theta * (1 - theta) / 240 * (1 + star * (1 - theta) / (2 - theta) + star * theta / (1 + theta))
        assert abs(0.7 - theta) == pytest.approx(1.959963984540054 * math.sqrt(spread), rel=1e-8)


def test_auc_turned_round_mirrors_its_interval() -> None:
    there, back = effect_sizes.auc([7, 8, 9], [1, 2, 3]).effect, effect_sizes.auc([1, 2, 3], [7, 8, 9]).effect
    assert back.value == 0
    assert back.interval.high == pytest.approx(1 - there.interval.low)


def test_one_value_in_a_group_has_a_difference_but_no_interval_and_says_why() -> None:
    found = two_groups.mean_difference([5], [1, 2])
    assert (found.value, found.interval) == (3.5, None)
    assert "at least two values" in found.note
    assert two_groups.welch_test([5], [1, 2]).test is None
    assert effect_sizes.hedges_g([5], [1, 2]).effect is None


def test_one_value_each_still_has_an_auc_with_an_honest_interval() -> None:
    interval = effect_sizes.auc([5], [1]).effect.interval
    assert interval.low < 0.5
    assert interval.high == 1


def test_groups_without_spread_have_no_t_test_and_no_g() -> None:
    assert two_groups.mean_difference([6, 6, 6], [5, 5]).note == "no interval: no spread in either group"
    assert two_groups.welch_test([6, 6, 6], [5, 5]).test is None
    assert effect_sizes.hedges_g([6, 6, 6], [5, 5]).effect is None


def test_spread_in_one_group_alone_is_enough_for_welch() -> None:
    assert two_groups.welch_test([6, 6, 6], [5, 4, 3]).test is not None


def test_all_ties_give_p_of_one_and_an_auc_of_a_half() -> None:
    assert two_groups.mann_whitney_test([4, 4], [4, 4, 4]).test.p == 1
    assert effect_sizes.auc([4, 4], [4, 4, 4]).effect.value == 0.5


def test_identical_pairs_give_wilcoxon_p_of_one_and_no_t_test() -> None:
    assert paired.wilcoxon_test([0, 0, 0]).test.p == 1
    assert paired.paired_t_test([0, 0, 0]).test is None
    assert effect_sizes.dz([0, 0, 0]).effect is None
    assert effect_sizes.rank_biserial([0, 0, 0]).effect is None


def test_constant_difference_that_only_rounding_disturbs_counts_as_no_spread() -> None:
    assert paired.paired_t_test([0.3 - 0.2, 0.1, 0.4 - 0.3]).test is None


def test_a_single_pair_has_a_mean_and_nothing_more() -> None:
    found = paired.mean_of_differences([2.5])
    assert (found.value, found.interval) == (2.5, None)
    assert paired.paired_t_test([2.5]).note == "paired t test: needs at least two pairs"


def test_empty_groups_say_so_instead_of_failing() -> None:
    assert two_groups.mean_difference([], [1, 2]).value is None
    assert two_groups.mann_whitney_test([], [1]).test is None
    assert effect_sizes.auc([1], []).effect is None
    assert paired.mean_of_differences([]).note == "there is no pair"
    assert describe([]).mean is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nan_and_infinities_are_refused(bad: float) -> None:
    with pytest.raises(StatisticsError, match="NaN or infinite"):
        as_sample([1, bad])
    with pytest.raises(StatisticsError, match="not finite"):
        stored_float(bad)


def test_enormous_effect_has_no_interval_rather_than_a_wrong_one() -> None:
    found = effect_sizes.dz([100 + 0.01 * (n % 3) for n in range(30)])
    assert found.effect.interval is None
    assert "too large" in found.note
