"""What a session earns: the reward's rating set on its scale, the veto, and what the witnesses say of it.

The raters are those of the study's own rating sets, asked in the same words, through the journal. What a session earns is
where its rating stands on the reward's scale, 0 to 1: 0 is the lowest that any session can earn, and what one earns that is
vetoed. A session whose reward could not be rated earned nothing that could be held against the others, and is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    NOT_APPLICABLE,
    Rating,
    Rubric,
    Score,
    Session,
    StageError,
    combined_ends,
    outcome_names,
    scores_of,
)
from cbtrun.plugins.raters.rating import RatingWork, Unit, rate_one, rating_work

if TYPE_CHECKING:
    from cbtrun.plugin import Calls, Item

SET_ASIDE = 0.5
"""Below the middle of its scale an item of the veto takes the reward away: on a yes/no item, more raters say no than yes."""


@dataclass(frozen=True)
class Outcome:
    """What of a rating set is looked at."""

    set: str
    name: str
    """`total`, a subscale or an item."""

    def __str__(self) -> str:
        return f"{self.set}.{self.name}"


@dataclass(frozen=True)
class Earned:
    """What one session earned, and what the others say of it."""

    reward: float | None
    """0 to 1; none where the reward's rating has no score."""
    rewarded: float | None
    """The reward's rating before any veto, in its own points."""
    veto: str = ""
    witness: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Judges:
    """The rating sets that rate the sessions of a training."""

    works: Mapping[str, RatingWork]
    calls: Mapping[str, Calls]
    """Rater -> the model."""
    reward: Outcome
    items: tuple[str, ...]
    """Items that the reward is made of; empty for the outcome as the rubric has it."""
    witness: tuple[Outcome, ...]
    veto: Outcome | None
    cyclic: bool = False
    """Whether each group of sessions is rated by one of the reward's raters, in turn, instead of by all."""

    async def earned(self, session: Session, group: int) -> Earned:
        """What a session earns. group: its number, from 0. Raises what a rater's `reply` raises."""
        sets = dict.fromkeys(
            [self.reward.set, *(one.set for one in self.witness), *([self.veto.set] if self.veto else [])]
        )
        rated = await asyncio.gather(*(self._rated(name, session, group) for name in sets))
        scores = {f"{one.set}.{one.outcome}": one for found in rated for one in found}
        rewarded = self._points(scores)
        veto = "" if self.veto is None else vetoed(scores[str(self.veto)], self._rubric(self.veto).item(self.veto.name))
        reward = None if rewarded is None else self.share(rewarded)
        witness = {str(one): scores[str(one)].value for one in self.witness}
        return Earned(0.0 if veto else reward, rewarded, veto, witness)

    async def rewarded(self, session: Session, group: int) -> float | None:
        """The reward's rating of a session alone, in its own points."""
        found = await self._rated(self.reward.set, session, group)
        return self._points({f"{one.set}.{one.outcome}": one for one in found})

    def share(self, points: float) -> float:
        """Where points stand on the reward's scale, 0 to 1."""
        low, high = self.scale()
        return (points - low) / (high - low)

    def scale(self) -> tuple[float, float]:
        """Lowest and highest points of the reward. Raises StageError for a scale without an upper end."""
        rubric = self._rubric(self.reward)
        bounds = [rubric.item(item).bounds for item in self.items] or [_bounds(rubric, self.reward.name)]
        highest = [high for _, high in bounds if high is not None]
        if len(highest) < len(bounds):
            raise StageError(f"`reward`: {self.reward} has no upper end, so nobody can say how far up a session stands")
        return sum(low for low, _ in bounds), sum(highest)

    def _points(self, scores: Mapping[str, Score]) -> float | None:
        """The reward's points: of the outcome, or the sum of the chosen items; none where one of them is missing."""
        if not self.items:
            return scores[str(self.reward)].value
        values = [scores[f"{self.reward.set}.{item}"].value for item in self.items]
        return None if None in values else float(sum(value for value in values if value is not None))

    def _rubric(self, outcome: Outcome) -> Rubric:
        return self.works[outcome.set].rubric

    async def _rated(self, name: str, session: Session, group: int) -> list[Score]:
        work = self.works[name]
        raters = list(work.options["raters"])
        if self.cyclic and name == self.reward.set:
            raters = [
                raters[group % len(raters)]
            ]  # the same for a whole group: its sessions are held against each other
        units = [
            Unit(session, rater, repeat, wording)
            for rater in raters
            for wording in range(len(work.wordings))
            for repeat in range(1, work.options["repeats"] + 1)
        ]
        rated: list[Rating] = await asyncio.gather(*(rate_one(self.calls[unit.rater], unit, work) for unit in units))
        return list(scores_of(name, rated, work.rubric, work.options["aggregate"]))


def vetoed(score: Score, item: Item) -> str:
    """Why the veto takes a session's reward; empty where it does not: the item does not apply, or is met."""
    if score.value is None:
        reasons = {single.reason for single in score.singles}
        return "" if reasons == {NOT_APPLICABLE} else f"{item.id} should have a score and has none: {score.reason}"
    low, high = item.bounds
    met = score.value > low if high is None else (score.value - low) / (high - low) >= SET_ASIDE
    return "" if met else f"{item.id}: {score.value:g}"


def works_of(judges: Mapping[str, Mapping[str, Any]], rubrics: Mapping[str, Rubric]) -> dict[str, RatingWork]:
    """Rating set -> how it rates. judges: its options; rubrics: by the name that these have for it."""
    return {name: rating_work(name, rubrics[options["rubric"]], options) for name, options in judges.items()}


def outcomes_of(named: str, rubric_of: Mapping[str, Rubric]) -> list[Outcome]:
    """What a rating set, or an outcome of it, has to say: of a set its total, or else every item with a number.

    rubric_of: rating set -> its rubric.
    """
    if named in rubric_of:
        names = outcome_names(rubric_of[named])
        return [Outcome(named, name) for name in (["total"] if "total" in names else names)]
    fitting = max((name for name in rubric_of if named.startswith(f"{name}.")), key=len)
    return [Outcome(fitting, named[len(fitting) + 1 :])]


def _bounds(rubric: Rubric, outcome: str) -> tuple[float, float | None]:
    if outcome == "total" and rubric.total is not None:
        return rubric.total.low, rubric.total.high
    if outcome in rubric.subscales:
        counted = [item for item in rubric.items if item.counts and item.subscale == outcome]
        return combined_ends(counted, rubric.total.method if rubric.total is not None else "sum")
    return rubric.item(outcome).bounds


def missing_items(rubric: Rubric, items: Sequence[str]) -> list[str]:
    """Items that the rubric does not have, or that have no number."""
    known = {item.id for item in rubric.items if item.type != "text"}
    return [item for item in items if item not in known]
