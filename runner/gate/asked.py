"""What a gate was asked: bounds of outcomes by arm, a run to be no worse than, and how both are judged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cbtrun.documents.schema_words import did_you_mean
from cbtrun.errors import Place, Problem, SpecError
from cbtrun.ratings.rubric import Rubric
from cbtrun.scores.scale import outcome_ends
from cbtrun.scores.totals import outcome_names
from cbtrun.statistics.clustered import Ends

Kind = Literal["min", "max", "no-worse"]
By = Literal["limit", "mean"]
Missing = Literal["worst", "told"]
UNDECLARED = 0.05
"""Of the scale: the margin where none was declared."""
ALL = "all sessions"
"""The arm of sessions that have none."""


@dataclass(frozen=True)
class Bound:
    """`ARM:OUTCOME=POINTS` of the command line; without an arm it is meant for each."""

    option: str
    outcome: str
    points: float
    arm: str = ""


@dataclass(frozen=True)
class Asked:
    """All that the command line says about what is judged."""

    minimums: tuple[Bound, ...] = ()
    maximums: tuple[Bound, ...] = ()
    run: Path | None = None
    """What the study is to be no worse than."""
    margins: tuple[Bound, ...] = ()
    lower_is_better: frozenset[str] = frozenset()
    arms: Mapping[str, str] = field(default_factory=dict)
    """Arm that is judged -> the arm of the other run that it is compared with; empty: all arms, by their names."""
    by: By = "limit"
    missing: Missing = "worst"
    despite: frozenset[str] = frozenset()
    """Differences of the two runs that are said to be no reason against comparing them."""


@dataclass(frozen=True)
class Criterion:
    """One thing asked of one arm."""

    kind: Kind
    outcome: str
    arm: str
    points: float
    """The bound, or the margin."""
    ends: Ends
    lower_is_better: bool = False
    against: str = ""
    """Arm of the other run."""
    declared: bool = True
    """Whether the margin was; else it is a share of the scale."""

    @property
    def rating_set(self) -> str:
        """The rating set of the outcome."""
        return self.outcome.partition(".")[0]

    @property
    def name(self) -> str:
        """`ctrs.total at least 40`."""
        if self.kind == "no-worse":
            worse = "higher" if self.lower_is_better else "lower"
            return f"{self.outcome} no more than {self.points:g} points {worse} than in the other run"
        return f"{self.outcome} at {'least' if self.kind == 'min' else 'most'} {self.points:g}"


def bound(option: str, text: str) -> Bound:
    """`[ARM:]OUTCOME=POINTS` as a bound. Raises SpecError for anything else."""
    left, sign, right = text.partition("=")
    arm, colon, outcome = left.rpartition(":")
    try:
        points = float(right)
    except ValueError:
        points = math.nan
    if not sign or "." not in outcome or (colon and not arm) or not math.isfinite(points):
        form = "OUTCOME=POINTS" if option == "--margin" else "[ARM:]OUTCOME=POINTS"
        raise SpecError.at(option, f"expected {form} such as ctrs.total=40, got '{text[:80]}'")
    return Bound(option, outcome, points, arm)


def criteria_of(asked: Asked, rubrics: Mapping[str, Rubric], arms: Sequence[str]) -> list[Criterion]:
    """Every criterion, arm by arm. rubrics: rating set -> its rubric. Raises SpecError with all that cannot be asked."""
    problems = [*_problems(asked, rubrics, arms)]
    if problems:
        raise SpecError(problems)
    scales = {name: _ends(rubrics, name) for name in {*_outcomes(asked), *(_totals(rubrics) if asked.run else ())}}
    judged = {*(asked.arms or arms)}
    found = []
    for arm in arms:
        for one in (*asked.minimums, *asked.maximums):
            if one.arm == arm or (not one.arm and arm in judged):
                kind: Kind = "min" if one.option == "--min" else "max"
                found.append(Criterion(kind, one.outcome, arm, one.points, scales[one.outcome]))
        if asked.run is not None and arm in judged:
            found += _no_worse(asked, arm, scales, [*_compared(asked, rubrics)])
    if not found:
        raise SpecError.at("gate", "nothing is asked: say --min, --max or --no-worse-than")
    return found


def _no_worse(asked: Asked, arm: str, scales: Mapping[str, Ends], outcomes: Sequence[str]) -> Iterator[Criterion]:
    margins = {one.outcome: one.points for one in asked.margins}
    lower = {*asked.lower_is_better, *(one.outcome for one in asked.maximums)}
    for outcome in outcomes:
        low, high = scales[outcome]
        if outcome not in margins and (low is None or high is None):
            raise SpecError.at("--margin", f"{outcome} has a scale without an end: say how many points worse it may be")
        margin = margins.get(outcome, UNDECLARED * ((high or 0.0) - (low or 0.0)))
        against = asked.arms.get(arm) or arm
        yield Criterion(
            "no-worse", outcome, arm, margin, (low, high), outcome in lower, against, declared=outcome in margins
        )


def _compared(asked: Asked, rubrics: Mapping[str, Rubric]) -> dict[str, None]:
    """The outcomes that are compared with the other run: those that were named, else every total."""
    return dict.fromkeys(_outcomes(asked) or _totals(rubrics))


def _outcomes(asked: Asked) -> list[str]:
    return [one.outcome for one in (*asked.minimums, *asked.maximums, *asked.margins)] + sorted(asked.lower_is_better)


def _totals(rubrics: Mapping[str, Rubric]) -> list[str]:
    return [f"{name}.total" for name, rubric in rubrics.items() if rubric.total is not None]


def _ends(rubrics: Mapping[str, Rubric], outcome: str) -> Ends:
    name, _, inside = outcome.partition(".")
    return outcome_ends(rubrics[name], inside)


def _problems(asked: Asked, rubrics: Mapping[str, Rubric], arms: Sequence[str]) -> Iterator[Problem]:
    known = [f"{name}.{outcome}" for name, rubric in rubrics.items() for outcome in outcome_names(rubric)]
    bounds = (*asked.minimums, *asked.maximums, *asked.margins)
    named = [(one.option, one.outcome) for one in bounds] + [
        ("--lower-is-better", one) for one in asked.lower_is_better
    ]
    for option, outcome in named:
        if outcome not in known:
            near = did_you_mean(outcome, known)
            yield _problem(option, f"the study has no outcome '{outcome[:80]}'{near}; totals are: {', '.join(_totals(rubrics)) or 'none'}")  # fmt: skip
    wanted = [(one.option, one.arm) for one in bounds if one.arm] + [("--arm", arm) for arm in asked.arms]
    yield from (
        _problem(option, f"the study has no arm '{arm[:80]}'{did_you_mean(arm, arms)}; there is: {', '.join(arms)}")
        for option, arm in wanted
        if arm not in arms
    )
    yield from (_problem(*one) for one in _off_the_scale(asked, rubrics, {*known}))
    if asked.margins and asked.run is None:
        yield _problem("--margin", "is of --no-worse-than, which is not there")


def _off_the_scale(asked: Asked, rubrics: Mapping[str, Rubric], known: set[str]) -> Iterator[tuple[str, str]]:
    for one in (*asked.minimums, *asked.maximums):
        if one.outcome in known:
            low, high = _ends(rubrics, one.outcome)
            if (low is not None and one.points < low) or (high is not None and one.points > high):
                yield one.option, f"{one.outcome} goes from {_end(low)} to {_end(high)}: no mean can be {one.points:g}"
    for one in asked.margins:
        if one.arm:
            yield one.option, "a margin is of an outcome, in every arm: OUTCOME=POINTS"
        if one.points < 0:
            yield one.option, f"{one.outcome}: a margin is 0 or more points, got {one.points:g}"


def _end(value: float | None) -> str:
    return "no end" if value is None else f"{value:g}"


def _problem(option: str, what: str) -> Problem:
    return Problem(Place(option), "", what)
