"""What the report knows of a training by reinforcement: its steps, and a few of its sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cbtrun.plugin import KeptTraining, Rollout, Session, TrainingStep, kept_trainings


@dataclass(frozen=True)
class Ranked:
    """A session of a step, by what it earned."""

    session: Session
    rollout: Rollout


@dataclass(frozen=True)
class Moment:
    """A chosen step with the session that earned most and the one that earned least."""

    step: int
    sessions: int
    """Of the step, with a reward and with words."""
    best: Ranked
    worst: Ranked


@dataclass(frozen=True)
class WatchedTraining:
    """One seed's training."""

    seed: str
    steps: tuple[TrainingStep, ...]
    moments: tuple[Moment, ...] = ()
    """Empty where no words may be shown, or none were kept."""


def watched_trainings(adapters: Path, *, words: bool) -> tuple[WatchedTraining, ...]:
    """The trainings of a tune job; empty where it was no training by reinforcement.

    adapters: `adapters/JOB` of a run. words: whether sessions of its steps may be shown.
    """
    return tuple(
        WatchedTraining(
            kept.seed,
            kept.steps,
            tuple(_moments(kept)) if words else (),
        )
        for kept in kept_trainings(adapters)
    )


def chosen_steps(steps: Sequence[TrainingStep]) -> list[TrainingStep]:
    """The first, the middle and the last, each once."""
    places = dict.fromkeys([0, (len(steps) - 1) // 2, len(steps) - 1])
    return [steps[at] for at in places] if steps else []


def _moments(kept: KeptTraining) -> Iterator[Moment]:
    for step in chosen_steps(kept.steps):
        spoken = kept.sessions(step.step)
        ranked = [Ranked(spoken[one.session], one) for one in step.rollouts if one.session in spoken]
        ranked = sorted((one for one in ranked if one.rollout.reward is not None), key=_earned, reverse=True)
        if len(ranked) > 1:
            yield Moment(step.step, len(ranked), ranked[0], ranked[-1])


def _earned(one: Ranked) -> tuple[float, float, str]:
    """What it earned, then what it was rated before a veto; equal ones by id, so that the same is shown every time."""
    return one.rollout.reward or 0.0, one.rollout.rewarded or 0.0, one.rollout.session
