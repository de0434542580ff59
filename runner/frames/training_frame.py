"""Rows of the frame of trainings by reinforcement: one a step, as its `steps.jsonl` has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

from cbtrun.contract.reinforced import Rollout, TrainingStep
from cbtrun.frames.run_records import RunRecords
from cbtrun.reinforced.kept_steps import kept_trainings
from cbtrun.reinforced.watched import vetoed_share

Row = dict[str, Any]


def training_rows(run: RunRecords) -> Iterator[Row]:
    """A row a step, job by job and seed by seed; none where no job learnt from sessions."""
    for job in run.study.tune_jobs:
        for kept in kept_trainings(run.folder.path / "adapters" / job):
            yield from ({"job": job, "seed": int(kept.seed), **_of_step(step)} for step in kept.steps)


def _of_step(step: TrainingStep) -> Row:
    held = step.rollouts
    witnesses = dict.fromkeys(name for one in held for name in one.witness)
    return {
        "step": step.step,
        "policy": step.policy,
        "sessions": len(held),
        "personas": len({one.persona for one in held}),
        "reward": _mean([one.reward for one in held]),
        "rewarded": _mean([one.rewarded for one in held]),
        "unscored": sum(one.rewarded is None for one in held),
        **{f"witness.{name}": _witness(held, name) for name in witnesses},
        "vetoed": vetoed_share([step]),
        "kl": step.kl,
        "tokens": _mean([one.tokens for one in held]),
        "entropy": _mean([one.entropy for one in held]),
        "repetition": _mean([one.repetition for one in held]),
        "loss": step.loss,
        "grad_norm": step.grad_norm,
        "learning_rate": step.learning_rate,
        "stopped": step.stopped or None,
    }


def _witness(held: Sequence[Rollout], name: str) -> float | None:
    return _mean([one.witness.get(name) for one in held])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
