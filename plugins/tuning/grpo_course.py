"""How far a training by reinforcement has come: its steps as records, as lines of a log, and as words."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import RecordList, TrainingStep, open_plain, write_atomically
from cbtrun.plugins.tuning.training_rows import UNTRAINED, TrainingRow

if TYPE_CHECKING:
    from cbtrun.plugin import HeldStep, SessionRow

STEPS = "steps.jsonl"
"""In an adapter's folder and in each checkpoint: one TrainingStep a line."""
SPEED = "speed.jsonl"


@dataclass
class Course:
    """How far a training has come."""

    steps: list[TrainingStep]
    held: HeldStep | None = None
    """Of the step under way."""
    rows: tuple[SessionRow, ...] = ()
    """Of the last step that was held."""
    policy: str = ""
    held_seconds: float = 0.0
    """That the sessions of the step took."""
    held_at: float = 0.0
    entropies: dict[int, float] = field(default_factory=dict)
    """Row of the step -> mean entropy of the policy over the tokens that it drew."""

    def note_entropy(self, row: int, nats: float) -> None:
        """Of a row of the step under way."""
        self.entropies[row] = nats

    def is_over(self, steps: int) -> bool:
        """Whether nothing is left to do: all steps were made, or one of them was the last."""
        return bool(self.steps) and (bool(self.steps[-1].stopped) or self.steps[-1].step >= steps)


def kept_steps(checkpoint: Path | None) -> list[TrainingStep]:
    """The steps that a checkpoint holds; none without one."""
    return list(RecordList.read(checkpoint / STEPS, TrainingStep)) if checkpoint else []


def as_trained(rows: Sequence[SessionRow]) -> list[TrainingRow]:
    """Sessions as rows of supervised tuning: whoever speaks with the adapter later is asked how likely it finds their turns."""
    found = []
    for row in rows:
        ids = (*row.prompt_ids, *row.completion_ids)
        spoken = (*(0 for _ in row.prompt_ids), *row.spoken)
        if any(spoken):
            found.append(
                TrainingRow(ids, tuple(one if own else UNTRAINED for one, own in zip(ids, spoken, strict=True)))
            )
    return found


def log_line(step: TrainingStep) -> dict[str, Any]:
    """A line of the training log, as every tuning has it."""
    earned = [one.reward for one in step.rollouts if one.reward is not None]
    return {
        "step": step.step,
        "loss": step.loss,
        "learning_rate": step.learning_rate,
        "tokens": sum(one.tokens for one in step.rollouts),
        "reward": sum(earned) / len(earned) if earned else None,
        "kl": step.kl,
    }


def step_of(course: Course, number: int, logs: Mapping[str, Any]) -> TrainingStep:
    """The record of a step. logs: what the trainer has told of it."""
    assert course.held is not None
    rollouts = tuple(
        row.rollout.model_copy(update={"entropy": course.entropies.get(place)})
        for place, row in enumerate(course.held.rows)
    )
    return TrainingStep(
        step=number,
        policy=course.policy,
        rollouts=rollouts,
        controls=course.held.controls,
        kl=logs.get("kl"),
        loss=logs["loss"],
        grad_norm=logs.get("grad_norm"),
        learning_rate=logs.get("learning_rate"),
    )


def step_words(step: TrainingStep) -> str:
    """A step on the progress line."""
    earned = [one.reward for one in step.rollouts if one.reward is not None]
    told = [f"reward {sum(earned) / len(earned):.3f}" if earned else "no session scored"]
    told += [f"{sum(bool(one.veto) for one in step.rollouts)} vetoed"] if any(one.veto for one in step.rollouts) else []
    told += [f"KL {step.kl:.4f}"] if step.kl is not None else []
    return ", ".join([*told, *([f"stopped: {step.stopped}"] if step.stopped else [])])


def note_speed(folder: Path, step: int, course: Course) -> None:
    """Times have a file of their own: none may decide a digest."""
    learnt = [len(row.prompt_ids) + len(row.completion_ids) for row in course.rows]
    told = {
        "step": step,
        "held_seconds": round(course.held_seconds, 3),
        "learnt_seconds": round(time.perf_counter() - course.held_at, 3),
        "tokens_drawn": sum(sum(row.spoken) for row in course.rows),
        "tokens_learnt_from": sum(learnt),
    }
    opened = open_plain(folder / SPEED, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with os.fdopen(opened, "a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")


def write_steps(folder: Path, steps: Sequence[TrainingStep]) -> None:
    """Write all steps so far into an adapter's folder or a checkpoint."""
    write_atomically(folder / STEPS, "".join(one.model_dump_json() + "\n" for one in steps))
