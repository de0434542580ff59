"""Trainings made up for tests: steps whose reward and witness move as a test says."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cbtrun.contract.records import Session
from cbtrun.contract.reinforced import ControlReward, Rollout, TrainingStep

Rise = Callable[[int], tuple[float, float]]
"""Step -> what reward and witness have risen by, in SDs of a session."""
WITNESS = "other.total"


def made_up_steps(
    count: int,
    rise: Rise = lambda _step: (0.0, 0.0),
    personas: int = 8,
    draws: int = 2,
    vetoed: Sequence[int] = (),
) -> list[TrainingStep]:
    """Steps with `personas` groups of `draws` sessions; in the steps of `vetoed` every session is vetoed."""
    rng = random.Random(personas + draws)
    own = {f"p{at}": (rng.gauss(0, 0.5), rng.gauss(0, 0.5)) for at in range(personas)}
    steps = []
    for step in range(1, count + 1):
        more = rise(step)
        rollouts = [
            _rollout(f"{step}-{persona}-{draw}", persona, draw, [10 + a + b + rng.gauss(0, 0.8) for a, b in zip(base, more, strict=True)], step in vetoed)
            for persona, base in own.items()
            for draw in range(1, draws + 1)
        ]  # fmt: skip
        steps.append(
            TrainingStep(
                step=step, policy=f"{step:064d}", rollouts=tuple(rollouts), kl=0.01 * step, loss=0.1, learning_rate=1e-4
            )
        )
    return steps


def _rollout(session: str, persona: str, draw: int, scores: Sequence[float], vetoed: bool) -> Rollout:
    return Rollout(
        session=session,
        persona=persona,
        group=persona,
        draw=draw,
        reward=0.0 if vetoed else scores[0],
        veto="safety.guided_to_care: 0" if vetoed else "",
        rewarded=scores[0],
        witness={WITNESS: scores[1]},
        turns=12,
        tokens=300,
        entropy=1.5,
        repetition=0.05,
    )


def with_controls(step: TrainingStep, kind: str, more: Sequence[float]) -> TrainingStep:
    """The step with controls of its first sessions, each earning so much more than the session itself."""
    controls = [
        ControlReward(kind=kind, session=one.session, plain=one.reward, reward=(one.reward or 0.0) + extra)
        for one, extra in zip(step.rollouts, more, strict=False)
    ]
    return step.model_copy(update={"controls": (*step.controls, *controls)})


def write_training(
    folder: Path, steps: Sequence[TrainingStep], sessions: Mapping[int, Sequence[Session]] | None = None
) -> None:
    """An adapter's folder with its steps, and the sessions of some of them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "steps.jsonl").write_text("".join(f"{step.model_dump_json()}\n" for step in steps), encoding="utf-8")
    for step, held in (sessions or {}).items():
        told = json.dumps([one.model_dump(mode="json") for one in held])
        (folder / f"sessions-{step:05d}.words.json").write_text(f"{told}\n", encoding="utf-8")
