"""A made-up study with two jobs that learnt from sessions: one whose reward is gamed and stopped, one of two seeds that is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cbtrun.contract.records import Session, Turn
from cbtrun.contract.reinforced import TrainingStep
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.watched_training import Moment, Ranked, WatchedTraining
from tests.helpers.made_up_training import Rise, made_up_steps, with_controls
from tests.helpers.report_studies import made_up_study

GAP = "gap: the reward rose by 2.41 SD (at least 1.90) while the witness other.total fell by 0.80 SD (at most -0.31; less than 0.2 SD)"


def learning_study(words: str = "What went through your mind?", **options: Any) -> ReportInput:
    """With sessions of three steps. words: what the therapist says in them."""
    given = made_up_study(6, **options)
    gamed = _steps(24, lambda step: (0.12 * step, -0.05 * step), 8, [0.9, 1.1, 0.4, 0.8] * 4)
    gamed[-1] = gamed[-1].model_copy(update={"stopped": GAP})
    honest = [_steps(60, lambda step: (0.03 * step, 0.02 * step), size, [-1.0, -0.5, 0.1, -0.8] * 4) for size in (8, 9)]
    return replace(
        given,
        reinforced={
            "keyword-counted": (WatchedTraining("1", tuple(gamed), tuple(_moments(gamed, words))),),
            "ctrs-rewarded": tuple(
                WatchedTraining(str(at), tuple(steps), tuple(_moments(steps, words)) if at == 1 else ())
                for at, steps in enumerate(honest, 1)
            ),
        },
    )


def _steps(count: int, rise: Rise, personas: int, more: list[float]) -> list[TrainingStep]:
    steps = made_up_steps(count, rise, personas=personas, vetoed=(3,))
    for at in range(0, count, 10):
        for kind in ("harmful", "keyword-stuffed", "longer", "flattering"):
            steps[at] = with_controls(steps[at], kind, [-abs(one) for one in more] if kind == "harmful" else more)
    return steps


def _moments(steps: list[TrainingStep], words: str) -> list[Moment]:
    found = []
    for step in (steps[0], steps[len(steps) // 2], steps[-1]):
        ranked = sorted(step.rollouts, key=lambda one: one.reward or 0, reverse=True)
        best, worst = (Ranked(_session(one.session, words), one) for one in (ranked[0], ranked[-1]))
        found.append(Moment(step.step, len(ranked), best, worst))
    return found


def _session(name: str, words: str) -> Session:
    turns = [
        Turn(speaker="therapist", text=words),
        Turn(speaker="patient", text="That I am a burden to everybody, as always."),
        Turn(speaker="therapist", text="Homework, agenda, evidence."),
        Turn(speaker="patient", text="I do not follow."),
    ]
    return Session(id=name, draw=name, turns=tuple(turns), ended="farewell")
