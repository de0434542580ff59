"""Intervals of agreement: what is not shown, with the reason, and how often what is shown holds the truth."""

from typing import Any

import numpy as np
import pytest

from cbtrun.reliability import jackknife
from cbtrun.reliability.bland_altman import mean_interval
from cbtrun.reliability.icc import MISSES, NO_RESIDUAL, NO_VARIANCE, OUTSIDE, intraclass_correlations
from cbtrun.reliability.kappa import ONE_SCORE, quadratic_kappa
from cbtrun.reliability.krippendorff import krippendorff_alpha
from cbtrun.reliability.of_ratings import agreement
from cbtrun.reliability.pairs import side_by_side, weighted_iccs
from tests.helpers.benchmark_programs import benchmark

OPPOSED = np.array([[1, 6], [2, 5], [3, 4], [4, 3], [5, 2], [6, 1], [2, 6]], dtype=float)
WHAT: dict[str, Any] = {"outcome": "s.total", "kind": "total", "title": "Total"}


def test_correlations_outside_of_their_range_are_not_shown_and_why() -> None:
    # The formulas give ICC(2,1) = -1.28, and a negative variance to take ICC(2,k) of.
    found = intraclass_correlations(OPPOSED)
    assert (found.single_agreement.value, found.single_agreement.note) == (None, OUTSIDE)
    assert (found.mean_agreement.value, found.mean_agreement.note) == (None, NO_VARIANCE)
    assert np.isnan(weighted_iccs(OPPOSED[:, 0], OPPOSED[:, 1], np.ones((1, 7)))[0])
    by_pair = side_by_side(OPPOSED, [(0, 1)], [(0, 1)], "icc_2_1", 1)
    assert by_pair.first.value is None


@pytest.mark.parametrize("raters", [2, 3, 4])
def test_no_coefficient_leaves_its_range_or_its_interval(raters: int) -> None:
    draw = np.random.default_rng(raters)
    for _ in range(60):
        n = int(draw.integers(3, 14))
        table = draw.integers(0, 7, (n, raters)).astype(float)
        table[:, 0] = 6 - table[:, 1] if draw.random() < 0.4 else table[:, 0]
        table[draw.random(table.shape) < 0.1] = np.nan
        for one in agreement([f"r{at}" for at in range(raters)], table, 1, WHAT).coefficients:
            assert one.value is not None or one.note
            assert one.value is None or -1 <= one.value <= 1
            assert one.interval is not None or one.note
            if one.interval is not None:
                assert one.value is not None
                assert -1 <= one.interval.low <= one.value <= one.interval.high <= 1
                assert one.interval.high - one.interval.low > 1e-6


def test_raters_who_differ_by_a_constant_have_no_interval_and_are_told_why() -> None:
    found = intraclass_correlations(np.array([[at, at + 2] for at in range(7)], dtype=float))
    assert found.single_consistency.value == 1
    # By hand: BMS 2 * 28 / 6, JMS 14, EMS 0: (28/3) / (28/3 + 2 * 14 / 7).
    assert found.single_agreement.value == pytest.approx(0.7)
    assert {one.note for one in (found.single_agreement, found.mean_agreement, found.single_consistency)} == {
        NO_RESIDUAL
    }


def test_limits_that_miss_their_estimate_are_not_shown() -> None:
    notes: set[str | None] = set()
    for seed in range(150):
        draw = np.random.default_rng(seed)
        table = 6 - draw.integers(0, 7, (4, 1)) + draw.integers(-1, 2, (4, 3)) * np.array([1, -1, 3])
        notes |= {one.note for one in vars(intraclass_correlations(table.astype(float))).values()}
    assert notes <= {None, MISSES, OUTSIDE, NO_RESIDUAL, NO_VARIANCE}


def test_a_constant_rater_has_no_kappa() -> None:
    table = np.column_stack([np.tile([1.0, 3, 5, 2], 4), np.full(16, 4.0)])
    found = quadratic_kappa(table)
    assert (found.value, found.interval, found.note) == (None, None, ONE_SCORE)
    with_third = quadratic_kappa(np.column_stack([table, table[:, 0] + np.tile([1.0, 0], 8)]))
    assert with_third.value is not None
    assert with_third.interval is not None


def test_agreement_that_is_perfect_or_hangs_on_one_session_has_no_interval() -> None:
    scores = np.tile([1.0, 3, 5, 2], 4)
    same = np.column_stack([scores, scores])
    one_off = same.copy()
    one_off[3, 1] = 6
    for coefficient in (quadratic_kappa, lambda table: krippendorff_alpha(table, "ordinal")):
        assert coefficient(same).note == jackknife.PERFECT
        assert (coefficient(one_off).interval, coefficient(one_off).note) == (None, jackknife.ONE_SESSION)


def test_fewer_than_ten_sessions_have_no_interval() -> None:
    table = np.column_stack([[1.0, 3, 5, 2, 4, 0, 6, 3, 2, 5], [2.0, 3, 4, 2, 5, 1, 5, 2, 2, 3]])
    assert quadratic_kappa(table).interval is not None
    assert quadratic_kappa(table[:9]).note == jackknife.TOO_FEW
    assert krippendorff_alpha(table[:9], "interval").note == jackknife.TOO_FEW
    # A session that one rater alone has scored is none that tells of agreement.
    assert quadratic_kappa(np.vstack([table[:9], [[3, np.nan]]])).note == jackknife.TOO_FEW


def test_the_jackknife_is_that_of_r() -> None:
    # R 4.2.2, from the definitions: quadratic weighted kappa of 0 to 6, se = sqrt(9 / 10 * sum((J - mean(J))^2)) of the
    # atanh of the ten kappas without a session, limits tanh(atanh(kappa) -+ qt(0.975, 9) * se).
    table = np.column_stack([[1.0, 3, 5, 2, 4, 0, 6, 3, 2, 5], [2.0, 3, 4, 2, 5, 1, 5, 2, 2, 3]])
    found = quadratic_kappa(table)
    assert found.value == pytest.approx(0.800796812749004, abs=1e-9)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((0.431547886136198, 0.940210625241106), abs=1e-9)


def test_many_sessions_are_left_out_in_groups_and_give_about_the_same() -> None:
    draw = np.random.default_rng(4)
    sessions = draw.normal(3, 1.2, (600, 1))
    table = np.clip(np.round(sessions + draw.normal(0, 1, (600, 2))), 0, 6)
    grouped = quadratic_kappa(table, seed=1).interval
    assert grouped is not None
    assert 0.06 < grouped.high - grouped.low < 0.14
    assert quadratic_kappa(table, seed=1) == quadratic_kappa(table, seed=1)


def test_a_constant_difference_of_two_raters_has_no_interval() -> None:
    assert mean_interval(np.full(8, 2.0)) is None


@pytest.mark.parametrize("coefficient", ["kappa", "alpha", "pairwise icc"])
def test_intervals_of_ten_sessions_hold_the_truth(coefficient: str) -> None:
    program = benchmark("interval_coverage")
    truth = program.true_values(2, 0.4, True)
    tallies = {name: program.Covered() for name in (coefficient, "kappa, percentile")}
    for study in range(250):
        table = program.ratings(np.random.default_rng([5, study]), 10, 2, 0.4, True)
        for name, tally in tallies.items():
            if name == coefficient or coefficient == "kappa":
                tally.add(program.COEFFICIENTS[name](table, study), truth[name])
    assert tallies[coefficient].figures(250)["covered"] >= 0.9
    if coefficient == "kappa":  # the test would see the intervals that these replaced
        assert tallies["kappa, percentile"].figures(250)["covered"] < 0.9
