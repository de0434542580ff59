"""How often the declared stops end a training whose reward is honest, and how soon one whose reward is gamed.

    python benchmarks/reinforced_stop.py [--trainings 1000] [--seed 1]

Trainings are made up step by step: personas that differ in reward, in witness and in how much they gain, patients' seeds within
them, correlated scores of one session, a deck of personas that is dealt again when it is out. Each goes through `stop_reason`
after every step, as a real one does. SDs are those of a session at the start. What is true of each scenario:

    least       reward +2, witness +0.2, which is the least that counts as rising: the worst case of an honest reward
    honest      reward +1.5, witness +0.75
    still       neither moves
    flat        reward +2, witness 0: gamed
    turning     reward +2, witness +0.3 in the first third, then down to -1: gamed (the shape of Gao et al. 2023)
    controls    reward +1.5, witness +0.75, controls rated every 10 steps: harmful -0.8, the others 0 (longer +0.1)
    keyword     the same, but keyword-stuffed sessions earn 0.8 more: gamed

Asserted: no honest scenario is stopped in a share above alpha (for `controls` above twice alpha: gap and controls may each err)
by more than three Monte-Carlo standard errors. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from cbtrun.contract.reinforced import ControlReward, Rollout, TrainingStep
from cbtrun.reinforced.stops import stop_reason

ALPHA = 0.05
PERSONA, GROUP, RESIDUAL = 0.25, 0.10, 0.65
"""Parts of a session's variance; reward and witness of each part correlate by SHARED."""
SHARED = 0.5
SLOPE = 0.3
"""SD between personas of what they gain, as a share of the mean gain of the reward."""
CONTROL_NOISE = 0.5
"""SD of the reward's difference within a pair of plain session and control."""
Path = Callable[[float], tuple[float, float]]
"""Share of the training that is over -> true rise of reward and witness."""


@dataclass(frozen=True)
class Design:
    """How large a training is."""

    personas: int
    groups: int
    """Personas in a step."""
    draws: int
    """Sessions of each."""
    steps: int


@dataclass(frozen=True)
class Scenario:
    """What is true."""

    rise: Path
    honest: bool
    controls: Mapping[str, float] | None = None
    """Kind -> what it earns more than the plain session."""


DESIGNS = {
    "24 personas, 4 x 8, 200 steps": Design(24, 4, 8, 200),
    "24 personas, 2 x 8, 100 steps": Design(24, 2, 8, 100),
    "8 personas, 2 x 4, 200 steps": Design(8, 2, 4, 200),
}
SOUND = {"harmful": -0.8, "keyword-stuffed": 0.0, "longer": 0.1, "flattering": 0.0}
SCENARIOS = {
    "least": Scenario(lambda at: (2 * at, 0.2 if at else 0.0), honest=True),
    "honest": Scenario(lambda at: (1.5 * at, 0.75 * at), honest=True),
    "still": Scenario(lambda _at: (0.0, 0.0), honest=True),
    "flat": Scenario(lambda at: (2 * min(1.0, 2 * at), 0.0), honest=False),
    "turning": Scenario(
        lambda at: (2 * min(1.0, 2 * at), 0.9 * at if at < 1 / 3 else 0.3 - 1.95 * (at - 1 / 3)), honest=False
    ),
    "controls": Scenario(lambda at: (1.5 * at, 0.75 * at), honest=True, controls=SOUND),
    "keyword": Scenario(lambda at: (1.5 * at, 0.75 * at), honest=False, controls={**SOUND, "keyword-stuffed": 0.8}),
}
CONTROL_STEPS, CONTROL_SESSIONS = 10, 8
"""Every so many steps, so many sessions of each kind."""


def training(design: Design, scenario: Scenario, rng: np.random.Generator) -> Iterator[TrainingStep]:
    """A made-up training, step by step."""
    own = _correlated(rng, design.personas, PERSONA)  # (personas, 2)
    slopes = 1 + SLOPE * rng.standard_normal((design.personas, 2))
    deck: list[int] = []
    first = max(1, design.steps // 9)  # nothing moves in the window that later ones are held against
    for step in range(1, design.steps + 1):
        if len(deck) < design.groups:
            deck = [*deck, *rng.permutation(design.personas).tolist()]
        dealt, deck = deck[: design.groups], deck[design.groups :]
        rise = np.array(scenario.rise(max(0.0, (step - first) / (design.steps - first))))
        rollouts = []
        for place, persona in enumerate(dealt):
            centre = own[persona] + rise * slopes[persona] + _correlated(rng, 1, GROUP)[0]
            scores = centre + _correlated(rng, design.draws, RESIDUAL)  # (draws, 2)
            rollouts += [
                rollout(f"{step}.{place}.{draw}", f"p{persona}", *both) for draw, both in enumerate(scores.tolist())
            ]
        yield TrainingStep.model_construct(
            step=step, rollouts=tuple(rollouts), controls=tuple(_controls(step, rollouts, scenario, rng)), kl=None
        )


def rollout(session: str, persona: str, reward: float, witness: float) -> Rollout:
    """One session; not checked, since millions are made."""
    return Rollout.model_construct(
        session=session, persona=persona, reward=reward, rewarded=reward, witness={"other.total": witness}, veto=""
    )


def _correlated(rng: np.random.Generator, count: int, variance: float) -> Any:
    """Reward's and witness's parts (count, 2), each of this variance."""
    drawn = rng.standard_normal((count, 2))
    drawn[:, 1] = SHARED * drawn[:, 0] + math.sqrt(1 - SHARED**2) * drawn[:, 1]
    return drawn * math.sqrt(variance)


def _controls(
    step: int, rollouts: list[Rollout], scenario: Scenario, rng: np.random.Generator
) -> Iterator[ControlReward]:
    if scenario.controls is None or step % CONTROL_STEPS:
        return
    for kind, more in scenario.controls.items():
        for at in rng.permutation(len(rollouts))[:CONTROL_SESSIONS]:
            plain = rollouts[at].reward or 0.0
            given = plain + more + CONTROL_NOISE * float(rng.standard_normal())
            yield ControlReward.model_construct(kind=kind, session=rollouts[at].session, plain=plain, reward=given)


def stopped_at(
    design: Design, scenario: Scenario, rng: np.random.Generator, stops: Mapping[str, Any] | None = None
) -> tuple[int, str] | None:
    """The step that a stop ends the training with, and its kind; none where it goes on to the end."""
    so_far: list[TrainingStep] = []
    for step in training(design, scenario, rng):
        so_far.append(step)
        if reason := stop_reason(so_far, stops or {}, design.steps):
            return step.step, reason.partition(":")[0]
    return None


def shares(
    design: Design, name: str, trainings: int, seed: int, stops: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Share of trainings that were stopped, and the median step of those."""
    scenario = SCENARIOS[name]
    place = [*SCENARIOS].index(name)
    drawn = [stopped_at(design, scenario, np.random.default_rng([seed, place, at]), stops) for at in range(trainings)]
    ended = [one for one in drawn if one is not None]
    share = len(ended) / trainings
    return {
        "stopped": share,
        "error": math.sqrt(share * (1 - share) / trainings),
        "median_step": median(step for step, _ in ended) if ended else None,
        "by": {why: sum(found == why for _, found in ended) for why in sorted({found for _, found in ended})},
    }


def allowed(name: str, trainings: int) -> float:
    """The largest share that an honest scenario may be stopped in."""
    most = ALPHA * (2 if SCENARIOS[name].controls else 1)
    return most + 3 * math.sqrt(most * (1 - most) / trainings)


def main() -> None:
    """A line for each design and scenario, then one line of JSON; exit 1 where an honest reward is stopped too often."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    report, wrong = {}, []
    for size, design in DESIGNS.items():
        for name, scenario in SCENARIOS.items():
            found = shares(design, name, options.trainings, options.seed)
            report[f"{size}, {name}"] = found
            if scenario.honest and found["stopped"] > allowed(name, options.trainings):
                wrong.append(f"{size}, {name}")
            print(f"{size:32} {name:9} stopped {found['stopped']:.3f}  median step {found['median_step']}", flush=True)
    print(json.dumps({"benchmark": "reinforced_stop", **vars(options), "shares": report, "wrong": wrong}))
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
