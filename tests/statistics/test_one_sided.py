"""Limits from one side: known values, and what has no spread."""

from __future__ import annotations

import pytest

from cbtrun.statistics.one_sided import lower_limit, lower_limit_of_groups, upper_limit
from tests.helpers.benchmark_programs import benchmark


def names(n: int) -> list[str]:
    return [f"p{at}" for at in range(n)]


def test_symmetric_values_have_the_limit_of_student() -> None:
    found = lower_limit([1.0, 2.0, 3.0, 4.0, 5.0], names(5))
    assert found is not None
    assert found.value == pytest.approx(3 - 2.7764451052 * (2.5 / 5) ** 0.5)  # R: t.test(1:5)$conf.int[1]
    assert found.method == "t over sessions"


def test_shares_have_the_limits_of_clopper_and_pearson() -> None:
    flags = [1.0] * 8 + [0.0] * 2
    low, high = lower_limit(flags, names(10), (0.0, 1.0)), upper_limit(flags, names(10), (0.0, 1.0))
    assert low is not None
    assert high is not None
    assert (low.value, high.value) == pytest.approx((0.4439045, 0.9747893), abs=1e-7)  # R: binom.test(8, 10)$conf.int
    none, every = (upper_limit([value] * 10, names(10), (0.0, 1.0)) for value in (0.0, 1.0))
    assert none is not None
    assert every is not None
    assert (none.value, every.value) == pytest.approx((0.3084971, 1.0), abs=1e-7)


def test_scores_skewed_to_the_bad_side_have_a_wider_limit_than_students() -> None:
    skewed = [6.0] * 10 + [5.0, 2.0]
    found = lower_limit(skewed, names(12), (0.0, 7.0))
    assert found is not None
    assert "for skewed scores (Hall)" in found.method
    straight = lower_limit([12 - one for one in skewed], names(12))
    assert straight is not None
    assert 5.583333 - found.value > straight.value * -1 + 6.416667


def test_values_without_spread_are_held_to_the_end_of_the_scale() -> None:
    found = lower_limit([4.0] * 20, names(20), (0.0, 6.0))
    assert found is not None
    assert found.value == pytest.approx(4.0 * 0.025 ** (1 / 20))
    assert lower_limit([4.0] * 20, names(20)) is None
    assert lower_limit([4.0, 5.0], ["p", "p"], (0.0, 6.0)) is None
    assert lower_limit([], []) is None


def test_sessions_of_one_patient_count_as_one() -> None:
    alone = lower_limit([1.0, 3.0, 2.0, 6.0], names(4))
    twice = lower_limit([1.0, 1.0, 3.0, 3.0, 2.0, 2.0, 6.0, 6.0], ["a", "a", "b", "b", "c", "c", "d", "d"])
    assert alone is not None
    assert twice is not None
    assert twice.value == pytest.approx(alone.value)


def test_two_groups_have_the_limit_of_welch() -> None:
    found = lower_limit_of_groups([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    assert found is not None
    assert found.value == pytest.approx(-6.0, abs=0.3)
    assert lower_limit_of_groups([1.0], [2.0, 3.0]) is None


def test_a_gate_passes_falsely_as_seldom_as_it_says() -> None:
    program = benchmark("gate_simulation")
    found = program.shares(program.CASES["total"], 20, 300, seed=2)
    assert found["false"] <= 0.025 + 3 * 0.009
    assert found["min false"] <= 0.025 + 3 * 0.009
    assert found["sound"] > 0.5
