"""Learnt or gamed: what a training may be said to have shown, and its curves."""

import pytest

from cbtrun.reinforced.curves import curve, first_and_last, scale_of
from cbtrun.reinforced.verdict import rise_of, verdict_of
from tests.helpers.made_up_training import WITNESS, made_up_steps, with_controls


def test_a_witness_that_rises_too_is_said_with_both_rises_their_intervals_and_n() -> None:
    told = verdict_of(made_up_steps(25, lambda step: (0.1 * step, 0.08 * step)))
    assert told.kind == "learnt"
    assert told.sentence.startswith("The witness rose too: the reward rose by 2.")
    assert f"and {WITNESS} rose by 1." in told.sentence
    assert "(80 and 80 sessions, 8 personas that it trained with)" in told.sentence
    assert told.sentence.count("95 % CI") == 2
    assert told.sentence.endswith("What the model may claim is decided on other personas, by the witness.")


def test_a_witness_that_falls_is_told_as_gamed() -> None:
    told = verdict_of(made_up_steps(25, lambda step: (0.1 * step, -0.05 * step)))
    assert told.kind == "gamed"
    assert f"while {WITNESS} fell by" in told.sentence


def test_a_witness_that_certainly_stands_still_is_told_as_gamed_with_the_reason() -> None:
    told = verdict_of(made_up_steps(50, lambda step: (0.06 * step, 0.0), personas=24, draws=2))
    assert told.kind == "gamed"
    assert "that is certainly no rise of 0.2 SD" in told.sentence


def test_steps_with_few_patients_are_put_together() -> None:
    assert [(one.first, one.last) for one in curve([made_up_steps(6, personas=2)])] == [(1, 3), (4, 6)]


def test_a_witness_of_which_too_little_is_known_leaves_it_open() -> None:
    told = verdict_of(made_up_steps(10, lambda step: (0.2 * step, 0.02 * step), personas=5, draws=1))
    assert told.kind == "cannot be told"
    assert "It cannot be told whether the reward was learnt or gamed" in told.sentence


def test_a_reward_that_did_not_rise_is_not_called_learnt() -> None:
    assert verdict_of(made_up_steps(25, lambda step: (0.0, 0.08 * step))).kind == "not raised"


def test_a_training_that_a_gap_ended_was_gamed_and_says_at_which_step() -> None:
    steps = made_up_steps(25, lambda step: (0.1 * step, 0.0))
    ended = [*steps[:-1], steps[-1].model_copy(update={"stopped": "gap: the reward rose"})]
    told = verdict_of(ended)
    assert told.kind == "gamed"
    assert "the training was ended at step 25 (gap)" in told.sentence


def test_a_preferred_control_keeps_a_reward_from_being_called_learnt() -> None:
    steps = made_up_steps(25, lambda step: (0.1 * step, 0.08 * step))
    told = verdict_of([*steps[:-1], with_controls(steps[-1], "harmful", [0.5] * 8)])
    assert told.kind == "cannot be told"
    assert "the reward prefers controls: harmful" in told.sentence


def test_one_step_or_no_witness_cannot_be_told_with_the_reason() -> None:
    (step,) = made_up_steps(1)
    liked = with_controls(step, "harmful", [0.5] * 8).model_copy(update={"stopped": "controls: it prefers harm"})
    assert "1 step with 8 personas" in verdict_of([step]).sentence
    assert verdict_of([liked]).sentence.endswith(
        "; the reward prefers controls: harmful; the training was ended at step 1 (controls)."
    )
    alone = [
        step.model_copy(update={"rollouts": tuple(one.model_copy(update={"witness": {}}) for one in step.rollouts)})
        for step in made_up_steps(10)
    ]
    assert "nobody watched but the reward itself" in verdict_of(alone).sentence


def test_a_rise_is_the_difference_of_two_means_by_hand() -> None:
    steps = made_up_steps(10, lambda step: (float(step), 0.0))
    start, now = ([one.rewarded or 0 for step in part for one in step.rollouts] for part in (steps[:2], steps[-2:]))
    told = rise_of(steps, "reward")
    assert told is not None
    assert told.value == pytest.approx(sum(now) / len(now) - sum(start) / len(start))


def test_curves_begin_at_zero_and_join_neighbouring_steps_of_all_trainings() -> None:
    trainings = [made_up_steps(30, lambda step: (0.1 * step, 0.0), personas=size) for size in (6, 8)]
    points = curve(trainings, most=10)
    assert [(one.first, one.last) for one in points][:2] == [(1, 3), (4, 6)]
    assert points[0].sessions == 3 * 2 * (6 + 8)
    first_two = [points[0].standard["reward"].value, points[1].standard["reward"].value]
    assert sum(first_two) / 2 == pytest.approx(0, abs=1e-9), "two of ten points are the first fifth"
    assert points[-1].standard["reward"].value > 1.5
    assert points[-1].gaps[WITNESS].value == pytest.approx(
        points[-1].standard["reward"].value - points[-1].standard[WITNESS].value
    )
    assert points[-1].scores["reward"].interval is not None
    assert points[0].kl == pytest.approx(0.02)
    assert points[0].vetoed == 0


def test_what_never_varies_has_points_and_no_standard() -> None:
    flat = [
        step.model_copy(
            update={"rollouts": tuple(one.model_copy(update={"witness": {WITNESS: 1.0}}) for one in step.rollouts)}
        )
        for step in made_up_steps(5)
    ]
    point = curve([flat])[0]
    assert WITNESS in point.scores
    assert WITNESS not in point.standard
    assert point.gaps == {}
    assert curve([]) == []


def test_the_first_and_last_fifth_of_one_step_do_not_overlap() -> None:
    steps = made_up_steps(1)
    assert first_and_last(steps) == (steps, [])
    assert scale_of([steps], "reward") is not None
