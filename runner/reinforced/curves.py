"""Reward and witness by step, with intervals, and what else a reinforcement training is watched by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from cbtrun.reinforced.change import spread_within
from cbtrun.reinforced.watched import rollouts_of, vetoed_share, witnesses_of
from cbtrun.statistics.clustered import clustered_interval

if TYPE_CHECKING:
    from cbtrun.contract.records import Interval
    from cbtrun.contract.reinforced import Rollout, TrainingStep

REWARD = "reward"
FEWEST_AT_A_POINT = 6
"""Personas: of two the interval is wider than any picture."""
MOST_POINTS = 24
"""Of a curve: of longer trainings neighbouring steps are put together, or intervals would be as wide as the picture."""
FIFTH = 5
"""The start that a curve is held against is the first of so many parts of a training."""
Training = Sequence["TrainingStep"]


@dataclass(frozen=True)
class Mean:
    """Of the sessions of some steps."""

    value: float
    interval: Interval | None
    """95 %, clustered by persona; none with one persona, or without spread."""
    n: int


@dataclass(frozen=True)
class Point:
    """Some neighbouring steps of a training, or of several with other seeds."""

    first: int
    last: int
    """Steps, both included."""
    sessions: int
    scores: Mapping[str, Mean]
    """`reward` (its rating before any veto) and each witness, in its own points; what was not scored is not there."""
    standard: Mapping[str, Mean]
    """The same in SDs of a session from where the training began."""
    gaps: Mapping[str, Mean]
    """Witness -> reward minus witness in those SDs, over the sessions that both scored."""
    vetoed: float | None
    kl: float | None
    """Nats a token from where the training began."""
    tokens: float | None
    """Of the therapist in one session."""
    entropy: float | None
    repetition: float | None

    @property
    def middle(self) -> float:
        """Where it stands on an axis of steps."""
        return (self.first + self.last) / 2


@dataclass(frozen=True)
class Scale:
    """Where a score began, and how much a session varies."""

    start: float
    sd: float
    """0 where it cannot be told in SDs."""

    def standard(self, value: float) -> float:
        """A score in SDs from the start."""
        return (value - self.start) / self.sd


def curve(trainings: Sequence[Training], most: int = MOST_POINTS) -> list[Point]:
    """The points of one tune job: one training for each seed, each with its steps first to last."""
    scales = {name: scale_of(trainings, name) for name in score_names(trainings)}
    last = max((steps[-1].step for steps in trainings if steps), default=0)
    width = max(1, -(-last // most), _steps_for_personas(trainings))
    points = []
    for first in range(1, last + 1, width):
        within = [step for steps in trainings for step in steps if first <= step.step < first + width]
        if within:
            points.append(_point(first, min(first + width - 1, last), within, scales))
    return points


def _steps_for_personas(trainings: Sequence[Training]) -> int:
    """Steps that together have about FEWEST_AT_A_POINT personas."""
    steps = [step for training in trainings for step in training]
    each = sum(len({one.persona for one in step.rollouts}) for step in steps) / len(steps) if steps else 0
    return math.ceil(FEWEST_AT_A_POINT / each) if each else 1


def score_names(trainings: Sequence[Training]) -> tuple[str, ...]:
    """`reward`, and each witness as `rating set.outcome`."""
    return tuple(dict.fromkeys([REWARD, *(name for steps in trainings for name in witnesses_of(steps))]))


def score_of(one: Rollout, name: str) -> float | None:
    """What a session scored; the reward before any veto."""
    return one.rewarded if name == REWARD else one.witness.get(name)


def scale_of(trainings: Sequence[Training], name: str) -> Scale | None:
    """Mean of the first fifth, and the SD of sessions within first and last fifth; none where nothing is scored there."""
    ends: list[list[float]] = [[], []]
    for steps in trainings:
        for part, within in zip(ends, first_and_last(steps), strict=True):
            part += [value for one in rollouts_of(within) if (value := score_of(one, name)) is not None]
    return Scale(fmean(ends[0]), spread_within(*ends)) if ends[0] else None


def first_and_last(steps: Training) -> tuple[Training, Training]:
    """The first and the last fifth of a training's steps, at least one each; of a single step the last is empty."""
    width = max(1, len(steps) // FIFTH)
    return steps[:width], steps[max(width, len(steps) - width) :]


def _point(first: int, last: int, steps: Training, scales: Mapping[str, Scale | None]) -> Point:
    held = rollouts_of(steps)
    able = {name: scale for name, scale in scales.items() if scale is not None and scale.sd}
    return Point(
        first=first,
        last=last,
        sessions=len(held),
        scores=_means(held, {name: _scores(name) for name in scales}),
        standard=_means(held, {name: _scores(name, scale) for name, scale in able.items()}),
        gaps=_means(held, dict(_gaps(able))),
        vetoed=vetoed_share(steps),
        kl=_mean([step.kl for step in steps]),
        tokens=_mean([one.tokens for one in held]),
        entropy=_mean([one.entropy for one in held]),
        repetition=_mean([one.repetition for one in held]),
    )


Score = Callable[["Rollout"], float | None]


def _scores(name: str, scale: Scale | None = None) -> Score:
    def score(one: Rollout) -> float | None:
        value = score_of(one, name)
        return value if value is None or scale is None else scale.standard(value)

    return score


def _gaps(scales: Mapping[str, Scale]) -> Iterator[tuple[str, Score]]:
    reward = _scores(REWARD, scales[REWARD]) if REWARD in scales else None
    for name, scale in scales.items():
        if reward is not None and name != REWARD:
            yield name, _difference(reward, _scores(name, scale))


def _difference(reward: Score, witness: Score) -> Score:
    def gap(one: Rollout) -> float | None:
        got, seen = reward(one), witness(one)
        return None if got is None or seen is None else got - seen

    return gap


def _means(held: Sequence[Rollout], scores: Mapping[str, Score]) -> dict[str, Mean]:
    found = {}
    for name, score in scores.items():
        valued = [(one.persona, value) for one in held if (value := score(one)) is not None]
        if valued:
            values = [value for _, value in valued]
            interval = clustered_interval(values, [persona for persona, _ in valued])
            found[name] = Mean(fmean(values), interval, len(values))
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
