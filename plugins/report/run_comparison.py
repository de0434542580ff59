"""Two runs set side by side: what differs in the study, in the environment, in the results."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from cbtrun.plugin import GroupSummary, Interval, Test, bare_cell, clustered_interval, ends_of, scale_words
from cbtrun.plugins.report.run_files import RunFiles, read_run

Key = tuple[str, str, str]
"""Outcome, grouping, level."""
Values = Mapping[Key, Mapping[str, float]]


@dataclass(frozen=True)
class Difference:
    """One place where two documents differ; none where a side does not have it."""

    path: str
    first: Any
    second: Any


@dataclass(frozen=True)
class SharedGroup:
    """One level of one outcome in both runs."""

    outcome: str
    grouping: str
    level: str
    first: GroupSummary
    second: GroupSummary
    n_shared: int
    """Personas that have a value in both runs."""
    difference: float | None
    """Second minus first over the shared personas, in points; none without any."""
    interval: Interval | None
    test: Test | None
    """Paired t test over the shared personas."""
    outcome_label: str = ""
    """What people read for the outcome; its name if empty."""
    group_label: str = ""
    """`Training Tuned on CBT`: what people read for grouping and level; their names if empty."""
    scale: str = ""
    """`of 66`, where the outcome has an end."""

    @property
    def outcome_title(self) -> str:
        """What the outcome is called."""
        return self.outcome_label or self.outcome

    @property
    def group_title(self) -> str:
        """What grouping and level are called."""
        return self.group_label or ("all sessions" if self.grouping == "all" else f"{self.grouping} {self.level}")


@dataclass(frozen=True)
class RunComparison:
    """Two runs side by side."""

    first: RunFiles
    second: RunFiles
    study: tuple[Difference, ...]
    environment: tuple[Difference, ...]
    groups: tuple[SharedGroup, ...]
    same_results: bool
    """Whether everything that was found is the same, number by number."""


def compare_runs(first: Path, second: Path) -> RunComparison:
    """What differs between two finished runs. Raises StageError when a folder is none."""
    one, other = read_run(first), read_run(second)
    found = {"ratings", "comparisons", "counts", "flags"}
    same = one.results.model_dump(include=found) == other.results.model_dump(include=found)
    return RunComparison(
        first=one,
        second=other,
        study=tuple(differences(one.study, other.study)),
        environment=tuple(differences(one.environment, other.environment)),
        groups=tuple(_called(group, one, other) for group in _shared_groups(one, other)),
        same_results=same,
    )


def differences(first: Any, second: Any, path: str = "") -> Iterator[Difference]:
    """Every leaf in which two documents differ, by path, in the order of the first."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for name in dict.fromkeys([*first, *second]):
            at = f"{path}.{name}" if path else str(name)
            if name in first and name in second:
                yield from differences(first[name], second[name], at)
            else:
                yield Difference(at, first.get(name), second.get(name))
    elif first != second:
        yield Difference(path, first, second)


def _called(group: SharedGroup, first: RunFiles, second: RunFiles) -> SharedGroup:
    """A group under its labels."""
    ours, theirs = first.labels, second.labels
    factor = _both(ours.factor(group.grouping), theirs.factor(group.grouping))
    level = _both(ours.level(group.grouping, group.level), theirs.level(group.grouping, group.level))
    return replace(
        group,
        outcome_label=_both(ours.item(group.outcome, group.outcome), theirs.item(group.outcome, group.outcome)),
        group_label="" if group.grouping == "all" else f"{factor} {level}",
        scale=scale_words(ends_of(first.results).get(group.outcome, (None, None))),
    )


def _both(first: str, second: str) -> str:
    """A label; with that of the second run where it is another."""
    return first if first == second else f"{first} (in B {second})"


def _shared_groups(first: RunFiles, second: RunFiles) -> Iterator[SharedGroup]:
    """Levels of totals that both runs have; arms where there are some, else factors, else all sessions."""
    people = first.people().items() & second.people().items()
    values = _values(first, {id_ for id_, _ in people}), _values(second, {id_ for id_, _ in people})
    for name, rated in first.results.ratings.items():
        others = second.results.ratings.get(name)
        theirs = {one.outcome: one for one in others.outcomes} if others else {}
        for outcome in (one for one in rated.outcomes if one.kind == "total" and one.outcome in theirs):
            shared = [one for one in outcome.groups if one in theirs[outcome.outcome].groups]
            for grouping in [one for one in shared if one != "all"] or ["all"]:
                sides = (outcome.groups[grouping], theirs[outcome.outcome].groups[grouping])
                yield from _levels(outcome.outcome, grouping, sides, values)


def _levels(
    outcome: str,
    grouping: str,
    sides: tuple[tuple[GroupSummary, ...], tuple[GroupSummary, ...]],
    values: tuple[Values, Values],
) -> Iterator[SharedGroup]:
    from cbtrun.plugin import paired_t_test

    theirs = {one.level: one for one in sides[1]}
    for group in sides[0]:
        if group.level not in theirs:
            continue
        key = (outcome, grouping, group.level)
        a, b = values[0].get(key, {}), values[1].get(key, {})
        both = sorted(a.keys() & b.keys())
        changes = [b[one] - a[one] for one in both]
        yield SharedGroup(
            *key,
            first=group,
            second=theirs[group.level],
            n_shared=len(both),
            difference=fmean(changes) if changes else None,
            interval=clustered_interval(changes, both) if changes else None,
            test=paired_t_test(changes).test if len(changes) > 1 else None,
        )


def _values(run: RunFiles, shared: set[str]) -> dict[Key, dict[str, float]]:
    """Mean of every shared persona (or imported session), from tables/sessions.csv of the run."""
    path = run.folder / "tables" / "sessions.csv"
    if not path.exists():
        return {}
    found: dict[Key, dict[str, list[float]]] = {}
    totals = [one.outcome for rated in run.results.ratings.values() for one in rated.outcomes if one.kind == "total"]
    groupings = {name for rated in run.results.ratings.values() for one in rated.outcomes for name in one.groups}
    with path.open(newline="", encoding="utf-8") as file:
        for cells in csv.DictReader(file):
            row = {name: bare_cell(cell or "") for name, cell in cells.items()}
            person = row["persona"] or row["session"]
            for outcome in (one for one in totals if row.get(one) and person in shared):
                for grouping in groupings:
                    level = "all" if grouping == "all" else row.get(grouping)
                    if level:
                        found.setdefault((outcome, grouping, level), {}).setdefault(person, []).append(
                            float(row[outcome])
                        )
    return {key: {person: fmean(points) for person, points in people.items()} for key, people in found.items()}
