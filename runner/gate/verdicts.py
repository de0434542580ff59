"""Each criterion held against the sessions: passed, failed, or why it cannot be judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from cbtrun.gate.asked import UNDECLARED, Asked, Criterion
from cbtrun.gate.judged_run import missing_words
from cbtrun.statistics.one_sided import Limit, lower_limit, lower_limit_of_groups, upper_limit

if TYPE_CHECKING:
    from cbtrun.gate.judged_run import JudgedRun, Value

State = Literal["passed", "failed", "not judged"]
FEW = 20
"""Patients below whom skewed scores pass falsely up to twice as often as they should."""
PAIRED, ALIKE = "paired by patient", "the same words in every session"


@dataclass(frozen=True)
class Verdict:
    """What came of one criterion."""

    criterion: Criterion
    state: State
    says: str
    """Estimate, limit, n, what is missing: a sentence or two."""
    sessions: int = 0
    units: int = 0
    """Patients (or sessions without one) behind the estimate; pairs of them where it is paired."""
    estimate: float | None = None
    """The mean, or how much higher it is than before."""
    limit: Limit | None = None
    missing: int = 0


@dataclass(frozen=True)
class Sample:
    """The values of one arm with what is missing settled as it was asked."""

    points: tuple[float, ...]
    units: tuple[str, ...]
    missing: int
    told: str
    """What is missing and what was made of it; empty where nothing is."""
    settled: bool = True
    """False where something is missing and nothing can stand for it."""

    def by_unit(self) -> dict[str, float]:
        """Patient -> mean of their sessions."""
        found: dict[str, list[float]] = {}
        for unit, value in zip(self.units, self.points, strict=True):
            found.setdefault(unit, []).append(value)
        return {unit: fmean(values) for unit, values in found.items()}


def verdicts(
    criteria: Sequence[Criterion], asked: Asked, run: JudgedRun, other: JudgedRun | None = None
) -> Iterator[Verdict]:
    """Every criterion judged. other: what the run is to be no worse than."""
    for one in criteria:
        values = run.values(one.outcome, one.arm)
        worst_is_high = one.kind == "max" or (one.kind == "no-worse" and one.lower_is_better)
        sample = sample_of(values, one, asked, worst_is_high=worst_is_high)
        if one.kind == "no-worse" and other is not None:
            yield _no_worse(one, asked, run, other, sample)
        else:
            yield _bound(one, asked, sample)


def sample_of(values: Sequence[Value], criterion: Criterion, asked: Asked, *, worst_is_high: bool) -> Sample:
    """The values that are judged: what is missing counts as the worst that it can be, or is left out and told."""
    missing = [one for one in values if one.points is None]
    there = [(one.points, one.unit) for one in values if one.points is not None]
    if not missing:
        return _sample(there, 0, "")
    count = f"{len(missing)} of {len(values)} sessions have no score ({missing_words(values)})"
    if asked.missing == "told":
        return _sample(there, len(missing), f"{count}: left out, as --missing told says")
    end = criterion.ends[1] if worst_is_high else criterion.ends[0]
    stand_in = [(one.highest if worst_is_high else one.lowest) for one in missing]
    worst = [end if value is None else value for value in stand_in]
    if any(value is None for value in worst):
        why = f"{count}, and the scale has no end that could stand for them; --missing told leaves them out"
        return Sample((), (), len(missing), why, settled=False)
    against = [(value, one.unit) for value, one in zip(worst, missing, strict=True) if value is not None]
    return _sample([*there, *against], len(missing), f"{count}: counted as the {'highest' if worst_is_high else 'lowest'} that they could be")  # fmt: skip


def _sample(pairs: Sequence[tuple[float, str]], missing: int, told: str) -> Sample:
    return Sample(tuple(value for value, _ in pairs), tuple(unit for _, unit in pairs), missing, told)


def _bound(criterion: Criterion, asked: Asked, sample: Sample) -> Verdict:
    """A minimum or a maximum."""
    if not sample.settled or not sample.points:
        return Verdict(criterion, "not judged", sample.told or "no session has a score", missing=sample.missing)
    mean, least = fmean(sample.points), criterion.kind == "min"
    limit = (lower_limit if least else upper_limit)(sample.points, sample.units, criterion.ends)
    n = len(sample.points), len({*sample.units})
    said = f"mean {mean:.4g}{_scale(criterion)}, {_limit_words(limit, 'lower' if least else 'upper')}, n = {_n(*n)}"
    judged = mean if asked.by == "mean" else None if limit is None else limit.value
    if judged is None:
        state: State = "not judged"
        said += "; one patient says nothing of others, and --by limit needs more"
    else:
        state = "passed" if (judged >= criterion.points if least else judged <= criterion.points) else "failed"
        said += f"; judged by the {'mean alone' if asked.by == 'mean' else 'limit'}"
    said = _with(said, _few(n[1], limit))
    return Verdict(criterion, state, _with(said, sample.told), *n, mean, limit, sample.missing)


@dataclass(frozen=True)
class Difference:
    """How much better this run is than the other; below 0 where it is worse."""

    points: float
    limit: Limit | None
    """How much better it is at the least."""
    how: str
    units: int
    """Pairs of patients, or patients of this run."""
    alone: str = ""
    """Who has no partner."""


def _no_worse(criterion: Criterion, asked: Asked, run: JudgedRun, other: JudgedRun, sample: Sample) -> Verdict:
    """Non-inferiority: the limit of the difference lies within the margin."""
    before = [one for one in other.values(criterion.outcome, criterion.against) if one.points is not None]
    earlier = _sample([(one.points, one.unit) for one in before if one.points is not None], 0, "").by_unit()
    now = sample.by_unit()
    if not sample.settled or not now or not earlier:
        lacking = f"no session of {'this' if not now else 'the other'} run has a score"
        return Verdict(
            criterion, "not judged", lacking if sample.settled else sample.told, len(before), missing=sample.missing
        )
    ours, theirs = run.units, other.units
    shared = [unit for unit in now if unit in earlier and ours.get(unit) == theirs.get(unit)]
    if shared:
        found = _paired(criterion, now, earlier, shared)
        if sample.missing == 0 and _same_words(criterion, run, other, shared):
            found = replace(found, limit=Limit(0.0, ALIKE), how=f"{PAIRED}; it holds for these patients alone")
    else:
        found = _apart(criterion, now, earlier)
    return _of_difference(criterion, asked, sample, found)


def _paired(
    criterion: Criterion, now: Mapping[str, float], earlier: Mapping[str, float], shared: Sequence[str]
) -> Difference:
    sign = -1.0 if criterion.lower_is_better else 1.0
    low, high = criterion.ends
    width = None if low is None or high is None else high - low
    differences = [sign * (now[one] - earlier[one]) for one in shared]
    limit = lower_limit(differences, shared, (None if width is None else -width, width))
    left = len(now.keys() - {*shared}), len(earlier.keys() - {*shared})
    alone = f"{left[0]:,} patients of this run and {left[1]:,} of the other have no partner" if any(left) else ""
    return Difference(fmean(differences), limit, PAIRED, len(shared), alone)


def _apart(criterion: Criterion, now: Mapping[str, float], earlier: Mapping[str, float]) -> Difference:
    sign = -1.0 if criterion.lower_is_better else 1.0
    sides = [[sign * one for one in side.values()] for side in (now, earlier)]
    how = f"two groups of other patients, {len(earlier):,} in the other run"
    return Difference(fmean(sides[0]) - fmean(sides[1]), lower_limit_of_groups(*sides), how, len(now))


def _same_words(criterion: Criterion, run: JudgedRun, other: JudgedRun, shared: Sequence[str]) -> bool:
    """Whether the shared patients heard and said the very same in both runs, and scored the same."""
    chosen = {*shared}
    said = [
        sorted((one.unit, one.words, one.points or 0.0) for one in side if one.unit in chosen)
        for side in (run.values(criterion.outcome, criterion.arm), other.values(criterion.outcome, criterion.against))
    ]
    return said[0] == said[1]


def _of_difference(criterion: Criterion, asked: Asked, sample: Sample, found: Difference) -> Verdict:
    """The verdict on a difference."""
    n = len(sample.points), found.units
    judged = found.points if asked.by == "mean" else None if found.limit is None else found.limit.value
    said = f"{_better(found)} {criterion.against} of the other run, {_at_worst(found.limit)}, {_margin(criterion)}, {found.how}, n = {_n(*n)}"  # fmt: skip
    if judged is None:
        state: State = "not judged"
    else:
        state = "passed" if judged >= -criterion.points else "failed"
        said += f"; judged by the {'mean alone' if asked.by == 'mean' else 'limit'}"
    said = _with(said, _few(found.units, found.limit))
    said = _with(_with(said, found.alone), sample.told)
    return Verdict(criterion, state, said, *n, found.points, found.limit, sample.missing)


def _better(found: Difference) -> str:
    if not found.points:
        return "the same mean as"
    return f"{abs(found.points):.4g} points {'better' if found.points > 0 else 'worse'} than"


def _at_worst(limit: Limit | None) -> str:
    if limit is None:
        return "no limit can be said"
    side = f"at worst {abs(limit.value):.4g} worse" if limit.value <= 0 else f"at the least {limit.value:.4g} better"
    return f"{side} ({limit.method})"


def _margin(criterion: Criterion) -> str:
    undeclared = "" if criterion.declared else f" ({UNDECLARED:.0%} of the scale: none was declared)"
    better = "lower" if criterion.lower_is_better else "higher"
    return f"margin {criterion.points:g} points{undeclared}, {better} counts as better"


def _few(units: int, limit: Limit | None) -> str:
    """A word on limits that rest on t, where there are few patients; shares and the end of a scale need no such word."""
    if units >= FEW or limit is None or not limit.method.startswith(("t", "Welch")):
        return ""
    return f"fewer than {FEW} patients: where scores are skewed, up to 1 in 20 passes falsely"


def _limit_words(limit: Limit | None, side: str) -> str:
    return f"no {side} limit" if limit is None else f"{side} limit {limit.value:.4g} ({limit.method})"


def _scale(criterion: Criterion) -> str:
    low, high = criterion.ends
    return "" if low is None or high is None else f" on {low:g} to {high:g}"


def _n(sessions: int, units: int) -> str:
    return f"{sessions:,} sessions of {units:,} patients" if sessions != units else f"{units:,} sessions"


def _with(said: str, more: str) -> str:
    return f"{said}. {more[0].upper()}{more[1:]}" if more else said
