"""Time left, against simulated servers of a known latency and a clock of the test's own."""

from __future__ import annotations

import pytest

from cbtrun.contract.pace import Counted, seconds_left
from tests.helpers.simulated_server import Simulated

SLACK_SECONDS = 1.0
"""Times are shown in whole seconds."""


def wrong_by(simulated: Simulated) -> list[float]:
    """How wrong each time told was, from a fifth of the turns on: a factor of at least 1."""
    found = []
    for at, left, share in simulated.told:
        true = simulated.now - at
        if share < 0.2 or true <= 2.0:
            continue
        assert left is not None, f"nothing told at {at} s of {simulated.now:.0f} s, {share:.0%} made"
        low, high = sorted((left + SLACK_SECONDS, true + SLACK_SECONDS))
        found.append(high / low)
    return found


SERVERS = {
    "all at once": Simulated([20] * 20, (3.0,), 64, 256, 20),
    "a patient of ours": Simulated([20] * 40, (3.0, 0.01), 64, 256, 20),
    "slow therapist": Simulated([24] * 40, (6.0, 1.0), 64, 256, 24),
    "server full": Simulated([20] * 100, (2.0,), 16, 256, 20),
    "one session more than fits": Simulated([20] * 257, (2.0,), 256, 256, 20),
    "one more, server full": Simulated([20] * 129, (2.0,), 32, 128, 20),
    "many waves": Simulated([10] * 1000, (1.5,), 64, 64, 10),
    "half of it in the journal": Simulated([30] * 40, (2.0,), 64, 256, 30, kept=6),
    "a few end early": Simulated([20 if at % 4 else 14 for at in range(60)], (2.0,), 64, 256, 20),
    "one call each": Simulated([1] * 200, (2.5,), 16, 256, 1),
}


@pytest.mark.parametrize("which", SERVERS)
def test_time_left_is_within_a_factor_of_one_and_a_half_from_a_fifth_on(which: str) -> None:
    errors = wrong_by(SERVERS[which].run())
    assert len(errors) > 5
    assert max(errors) <= 1.5, [round(one, 2) for one in errors]


def test_the_rest_of_units_side_by_side_is_the_longest_of_them() -> None:
    assert seconds_left([2, 5, 3], 0, 5, 3, capacity=100.0, own=2.0) == pytest.approx(10.0)


def test_units_that_wait_begin_when_others_end() -> None:
    assert seconds_left([1, 1], 3, 4, 2, capacity=100.0, own=1.0) == pytest.approx(9.0)


def test_a_full_server_goes_no_faster_for_more_units() -> None:
    assert seconds_left([10] * 10, 0, 10, 10, capacity=2.0, own=1.0) == pytest.approx(50.0)


def test_many_waiting_units_are_counted_in_little_time() -> None:
    assert seconds_left([], 10_000_000, 2, 100, capacity=50.0, own=1.0) == pytest.approx(400_000.0, rel=0.01)


def test_a_training_is_measured_from_its_first_step_on() -> None:
    times = iter([30.0, 31.0, 35.0])  # half a minute of importing before
    steady = Counted(lambda: next(times))
    assert steady.left(1, 51) is None
    assert steady.left(3, 51) is None  # less than a tenth
    assert steady.left(11, 51) == pytest.approx(20.0)


def test_a_stage_without_a_number_of_units_says_no_time_left() -> None:
    assert Counted().left(3, None) is None
