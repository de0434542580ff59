"""Judge noise, bootstrap, simulated power: against R where it has them, and for what they must not do."""

import json
from typing import Any

import pytest

from cbtrun.contract.records import Effect, Interval
from cbtrun.errors import StatisticsError
from cbtrun.power import formulas as power
from cbtrun.statistics.bootstrap import LARGEST, bootstrap_difference, bootstrap_mean
from cbtrun.statistics.judge_noise import RatedSession, judge_noise, reliable_effect
from cbtrun.statistics.multiplicity import adjusted_p
from tests.helpers.places import TESTS
from tests.helpers.simulated_power import simulated_power_of_groups, simulated_power_of_pairs

GOLDEN = json.loads((TESTS / "golden/statistics/judge_noise.json").read_text())["cases"]


def _cases(method: str) -> list[Any]:
    return [
        pytest.param(case["input"], case["expected"], id=case["name"]) for case in GOLDEN if case["method"] == method
    ]


def _sessions(given: dict[str, Any], alike: bool) -> list[RatedSession]:
    """Rated sessions; raters of their own for each session where the layout is not to be alike."""
    return [
        RatedSession(group, {(f"r{n}" if alike else f"s{at}r{n}", 1): score for n, score in enumerate(scores)})
        for at, (scores, group) in enumerate(zip(given["scores"], given["groups"], strict=True))
    ]


@pytest.mark.parametrize(("given", "expected"), _cases("two_way"))
def test_components_with_the_same_raters_agree_with_r(given: dict[str, Any], expected: dict[str, float]) -> None:
    noise = judge_noise(_sessions(given, alike=True))
    ours = {"session": noise.session, "rater": noise.rater, "residual": noise.residual}
    assert ours == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("given", "expected"), _cases("one_way"))
def test_components_with_raters_of_their_own_agree_with_r(given: dict[str, Any], expected: dict[str, float]) -> None:
    noise = judge_noise(_sessions(given, alike=False))
    assert noise.rater is None
    assert {"session": noise.session, "residual": noise.residual} == pytest.approx(expected, rel=1e-9)


def test_published_reliability_of_shrout_and_fleiss() -> None:
    # Shrout & Fleiss 1979, table 4: ICC(3,k) of their example is 0.91.
    given = next(case["input"] for case in GOLDEN if case["name"] == "shrout_fleiss" and case["method"] == "two_way")
    noise = judge_noise(_sessions(given, alike=True))
    assert noise.session / (noise.session + noise.of_a_mean) == pytest.approx(0.91, abs=0.005)


def test_single_ratings_tell_nothing_of_noise() -> None:
    assert judge_noise([RatedSession("a", {("r", 1): 3.0}), RatedSession("a", {("r", 1): 4.0})]) is None
    assert judge_noise([]) is None


def test_effect_is_divided_by_the_root_of_the_reliability() -> None:
    effect = Effect(name="dz", value=0.6, interval=Interval(low=0.2, high=1.0, method="noncentral t"))
    found, reliability = reliable_effect(effect, observed_variance=4.0, noise_variance=1.0)
    assert reliability == 0.75
    assert [found.value, found.interval.low] == pytest.approx([0.6 / 0.75**0.5, 0.2 / 0.75**0.5])


def test_effect_that_is_all_noise_is_not_corrected() -> None:
    assert reliable_effect(Effect(name="dz", value=0.6), 1.0, 1.5) == (None, 0.0)


@pytest.mark.parametrize(("given", "expected"), _cases("studentised"))
def test_studentised_interval_agrees_with_boot_within_resampling_error(
    given: dict[str, Any], expected: dict[str, float]
) -> None:
    interval = bootstrap_mean(given["x"], seed=3, resamples=50_000).interval
    width = expected["high"] - expected["low"]
    assert [interval.low, interval.high] == pytest.approx([expected["low"], expected["high"]], abs=0.03 * width)


def test_bootstrap_depends_on_its_seed_alone() -> None:
    first, second = [1.0, 2, 4, 8, 3, 6, 2, 5, 4], [0.0, 1, 1, 5, 2, 0, 3, 2]
    assert bootstrap_difference(first, second, 1) == bootstrap_difference(first, second, 1)
    assert bootstrap_difference(first, second, 1) != bootstrap_difference(first, second, 2)


def test_bootstrap_leaves_out_what_it_cannot_do_and_says_so() -> None:
    assert "fewer than 8 units" in bootstrap_mean([1.0, 5, 2, 4, 3, 1, 6], 1).note
    assert "fewer than 8 units" in bootstrap_difference([float(n) for n in range(30)], [2, 3, 4], 1).note
    assert "no spread" in bootstrap_difference([1] * 8, [2] * 8, 1).note
    assert "too many resamples have no spread" in bootstrap_mean([6, 6, 6, 6, 6, 6, 6, 5], 1).note
    assert f"more than {LARGEST} units" in bootstrap_mean([float(n) for n in range(LARGEST + 1)], 1).note


def test_simulated_power_of_pairs_agrees_with_the_closed_form() -> None:
    found = simulated_power_of_pairs(20, 5.0, (10.0, 10.0), 0.5, seed=1, studies=1500)
    assert found.effect == pytest.approx(0.5)
    assert found.power == pytest.approx(power.power_of_pairs(20, 0.5), abs=4 * found.error)


def test_simulated_power_at_the_ceiling_is_lower() -> None:
    free = simulated_power_of_groups((15, 15), 4.0, (5.0, 5.0), 1, "welch", None, 64.0, studies=400)
    cut = simulated_power_of_groups((15, 15), 4.0, (5.0, 5.0), 1, "welch", (0, 66), 64.0, studies=400)
    assert cut.power < free.power


def test_planning_for_no_effect_is_refused() -> None:
    with pytest.raises(StatisticsError, match="too small to plan for"):
        power.smallest_n(lambda n: power.power_of_pairs(n, 1e-6), 0.8)


def test_dz_follows_from_d_and_the_correlation() -> None:
    assert power.dz_of(0.5, 0.5) == pytest.approx(0.5)
    with pytest.raises(StatisticsError, match="correlation"):
        power.dz_of(0.5, 1.0)


def test_adjusting_nothing_gives_nothing_and_bad_p_is_refused() -> None:
    assert adjusted_p([], "holm") == []
    with pytest.raises(StatisticsError, match="between 0 and 1"):
        adjusted_p([0.5, 1.5], "holm")
