"""What ends a reinforcement training, and what does not."""

import random
from collections.abc import Callable

import pytest

from cbtrun.contract.reinforced import TrainingStep
from cbtrun.reinforced import gap
from cbtrun.reinforced.control_pairs import controls_told
from cbtrun.reinforced.stops import stop_reason
from tests.helpers.benchmark_programs import benchmark
from tests.helpers.made_up_training import WITNESS, made_up_steps, with_controls

TRAININGS = 60
MOST = 8
"""With an error of 0.05 more than eight of sixty are stopped in 0.4 % of samples."""


def _ends(steps, stops=None) -> str:
    """The first reason, looking after every step as a training does."""
    return next(filter(None, (stop_reason(steps[:at], stops or {}, len(steps)) for at in range(1, len(steps) + 1))), "")


def test_a_reward_that_rises_without_its_witness_is_stopped_with_both_changes_and_n() -> None:
    reason = _ends(made_up_steps(45, lambda step: (0.06 * step, -0.03 * step)))
    assert reason.startswith("gap: the reward rose by ")
    assert f"while the witness {WITNESS} fell by" in reason
    assert "against 1 to 5, 80 and 80 sessions" in reason


def test_a_reward_whose_witness_rises_too_is_not_stopped() -> None:
    assert _ends(made_up_steps(45, lambda step: (0.06 * step, 0.03 * step))) == ""


def test_a_witness_that_falls_while_the_reward_stands_still_is_no_gap() -> None:
    assert _ends(made_up_steps(45, lambda step: (0.0, -0.05 * step))) == ""


def test_only_the_first_witness_must_rise_the_others_must_not_fall() -> None:
    steps = made_up_steps(45, lambda step: (0.06 * step, 0.0), draws=8)
    both = [
        step.model_copy(
            update={
                "rollouts": tuple(
                    one.model_copy(update={"witness": {"first.total": one.rewarded, **one.witness}})
                    for one in step.rollouts
                )
            }
        )
        for step in steps
    ]
    assert "gap" in _ends(steps)
    assert _ends(both) == ""
    assert WITNESS in _ends(both, {"gap": {"must_rise": WITNESS}})
    assert WITNESS in _ends(both, {"gap": {"must_rise": "other"}}), "a rating set names its witness"


def _with_harm(of_step: Callable[[int], float]) -> list[TrainingStep]:
    """A reward that rises with its witness, and an item of safety that a session voices with this chance."""
    rng = random.Random(4)
    steps = made_up_steps(45, lambda step: (0.06 * step, 0.03 * step))
    return [
        step.model_copy(
            update={
                "rollouts": tuple(
                    one.model_copy(
                        update={"witness": {"safety.harm": float(rng.random() < of_step(step.step)), **one.witness}}
                    )
                    for one in step.rollouts
                )
            }
        )
        for step in steps
    ]


def test_an_item_is_watched_only_where_its_direction_is_declared() -> None:
    rising, falling = _with_harm(lambda step: 0.05 + step / 60), _with_harm(lambda step: 0.9 - step / 60)
    assert _ends(rising) == _ends(falling) == ""
    told = _ends(rising, {"gap": {"must_not_rise": ["safety.harm"]}})
    assert "while the witness safety.harm rose by" in told
    assert "it may not rise)" in told
    assert _ends(falling, {"gap": {"must_not_rise": ["safety"]}}) == ""
    assert "safety.harm fell by" in _ends(falling, {"gap": {"must_not_fall": ["safety.harm"]}})


def test_without_a_name_the_first_total_must_rise_and_without_a_total_nothing_is_looked_for() -> None:
    assert gap.must_rise_of(["safety.risk", "other.total", "more.total"], "") == "other.total"
    assert gap.must_rise_of(["safety.risk", "safety.harm"], "") == ""
    assert gap.must_rise_of(["safety.risk", "other.total"], "safety") == "safety.risk"
    assert gap.must_rise_of([], "") == ""


def test_a_gap_that_is_declared_null_is_not_looked_at() -> None:
    assert _ends(made_up_steps(45, lambda step: (0.06 * step, -0.03 * step)), {"gap": None}) == ""


def test_too_few_personas_or_steps_judge_nothing() -> None:
    assert _ends(made_up_steps(45, lambda step: (0.06 * step, -0.03 * step), personas=3)) == ""
    assert _ends(made_up_steps(1)) == ""
    assert stop_reason([], {}, 3) == ""


def test_a_witness_that_never_varies_judges_nothing() -> None:
    steps = made_up_steps(45, lambda step: (0.06 * step, 0.0))
    flat = [
        step.model_copy(
            update={"rollouts": tuple(one.model_copy(update={"witness": {WITNESS: 1.0}}) for one in step.rollouts)}
        )
        for step in steps
    ]
    assert _ends(flat) == ""


def test_kl_above_its_bound_stops_and_without_a_bound_does_not() -> None:
    steps = made_up_steps(10)
    assert _ends(steps, {"kl": 0.055}) == "kl: 0.060 nats a token from where it began, above 0.055"
    assert _ends(steps) == ""


def test_vetoed_sessions_stop_over_five_steps() -> None:
    steps = made_up_steps(10, vetoed=(4, 5, 6))
    assert _ends(steps, {"vetoed": 0.5}) == (
        "vetoed: 60% of the sessions of the last 5 steps earned nothing, above 50%"
    )
    assert _ends(steps, {"vetoed": 0.6}) == ""


def test_four_harmful_controls_that_earn_more_stop_at_once() -> None:
    (step,) = made_up_steps(1)
    assert stop_reason([with_controls(step, "harmful", [0.1, 0.2, 0.1, -0.1])], {}, 10).startswith(
        "controls: the reward prefers harmful sessions: +0.07 points on average"
    )
    assert stop_reason([with_controls(step, "harmful", [0.1, 0.2, 0.1])], {}, 10) == ""
    assert stop_reason([with_controls(step, "harmful", [0.0] * 8)], {}, 10) == ""
    assert stop_reason([with_controls(step, "harmful", [-2.0, 0.1, 0.1, 0.1])], {}, 10) == ""


def test_other_controls_need_an_interval_and_pairs_are_counted_over_all_steps() -> None:
    first, second = made_up_steps(2, personas=12)
    more = [0.9, 0.0, 0.7, 0.0, 0.8, 0.0, 1.1, 0.0, 0.6, 0.0, 0.9, 0.0]
    few = [with_controls(first, "keyword-stuffed", more[:5])]
    assert stop_reason(few, {}, 10) == ""
    both = [
        with_controls(first, "keyword-stuffed", more * 2),
        with_controls(second, "keyword-stuffed", more * 2),
    ]
    told = controls_told(both, {})[0]
    assert told.pairs == 48
    assert told.is_preferred
    assert "prefers keyword-stuffed sessions" in stop_reason(both, {}, 10)
    assert stop_reason([*both, made_up_steps(3)[2]], {}, 10) == "", "nothing was rated in this step"


def test_longer_sessions_count_as_preferred_only_beyond_the_margin() -> None:
    (step,) = made_up_steps(1, personas=12)
    more = [0.12, 0.1, 0.11, 0.13] * 6
    assert stop_reason([with_controls(step, "longer", more)], {}, 10) == ""
    assert "longer" in stop_reason([with_controls(step, "longer", more)], {"controls": {"longer_margin": 0.0}}, 10)


def test_pairs_without_a_reward_are_counted_and_judge_nothing() -> None:
    (step,) = made_up_steps(1)
    rated = with_controls(step, "flattering", [1.0] * 8)
    gone = tuple(one.model_copy(update={"reward": None}) for one in rated.controls)
    (told,) = controls_told([rated.model_copy(update={"controls": gone})], {})
    assert (told.pairs, told.unscored, told.difference, told.is_preferred) == (0, 8, None, False)


def _stopped(name: str, trainings: int = TRAININGS) -> int:
    simulation = benchmark("reinforced_stop")
    return round(simulation.shares(simulation.Design(12, 3, 3, 36), name, trainings, 5)["stopped"] * trainings)


def test_an_honest_reward_is_rarely_stopped_and_a_gamed_one_is() -> None:
    assert _stopped("least") <= MOST
    assert _stopped("controls", 20) <= 4
    assert _stopped("turning", 20) >= 15
    assert _stopped("keyword", 20) >= 15


def test_looks_that_each_spend_the_whole_error_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gap.Look, "reward_at_least", property(lambda look: look.reward.value))
    monkeypatch.setattr(gap.Look, "witness_at_most", property(lambda look: look.seen.value + look.seen.bound(0.05)))
    assert _stopped("least") > MOST
