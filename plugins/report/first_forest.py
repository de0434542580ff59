"""The first screen's forest: every contrast that the study declared, drawn by the page itself at any width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cbtrun.plugin import Comparison, level_text
from cbtrun.plugins.report.behind import Levels, behind_comparison
from cbtrun.plugins.report.inputs import ReportInput, headline_comparison
from cbtrun.plugins.report.result_tables import counted, item_outcomes, titles_by_outcome
from cbtrun.plugins.report.scales import scale_label
from cbtrun.plugins.report.wording import (
    difference_decimals,
    has_levels,
    interval,
    number,
    probability,
    whole_contrast,
)

MOST_ROWS = 12
"""Contrasts that are told one by one; all of them stand in their own section."""
EDGE = 4.0
"""Per cent of a row that stay free at both ends, so that no dot is cut."""


@dataclass(frozen=True)
class Bar:
    """Where an estimate and its interval stand in a row, in per cent of its width."""

    dot: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ForestRow:
    """One declared contrast."""

    label: str
    analysis: str
    estimate: str
    interval: str
    n: str
    p: str
    """The adjusted p where there is one, else p; an en dash where nothing was tested."""
    held_back: str
    bar: Bar | None
    """None where nothing could be estimated."""
    sessions: Levels
    strong: bool


@dataclass(frozen=True)
class OutcomeForest:
    """The contrasts of one outcome, on one scale of differences."""

    title: str
    scale: str
    """`0 to 66 points`, where the outcome has ends."""
    zero: float
    """Where no difference stands, in per cent."""
    rows: tuple[ForestRow, ...]


@dataclass(frozen=True)
class Forest:
    """What the first screen shows of the declared contrasts."""

    parts: tuple[OutcomeForest, ...]
    adjusted: bool
    """Whether the p values are adjusted."""
    more: int
    """Declared contrasts that are left to their section."""


def declared_contrasts(given: ReportInput) -> list[Comparison]:
    """Every comparison on the outcome that its analysis declares; of a design without one, those on no single item."""
    items = item_outcomes(given)
    found = [one for one in given.results.comparisons if not one.subgroup and _is_declared(given, one, items)]
    return found or list(given.results.comparisons)


def first_forest(given: ReportInput) -> Forest | None:
    """The declared contrasts, by outcome; none where nothing was compared."""
    declared = declared_contrasts(given)
    if not declared:
        return None
    by_outcome: dict[str, list[Comparison]] = {}
    for one in declared[:MOST_ROWS]:
        by_outcome.setdefault(one.outcome, []).append(one)
    adjusted = any(test.p_adjusted is not None for one in declared for test in one.tests[:1])
    parts = tuple(_part(given, outcome, found) for outcome, found in by_outcome.items())
    return Forest(parts, adjusted, max(0, len(declared) - MOST_ROWS))


def _is_declared(given: ReportInput, one: Comparison, items: frozenset[str]) -> bool:
    block = given.study.analyses.get(one.analysis)
    return one.outcome == block.outcome if block is not None and block.outcome else one.outcome not in items


def _part(given: ReportInput, outcome: str, found: Sequence[Comparison]) -> OutcomeForest:
    place = _places(found)
    levelled = has_levels(one.interval for one in found)
    names = [whole_contrast(one) for one in found]
    rows = [
        _row(given, one, place, levelled=levelled, twice=names.count(name) > 1)
        for one, name in zip(found, names, strict=True)
    ]
    title = titles_by_outcome(given).get(outcome, outcome)
    return OutcomeForest(title, scale_label(given, outcome), place[0.0], tuple(rows))


def _row(
    given: ReportInput, one: Comparison, place: Mapping[float, float], *, levelled: bool, twice: bool
) -> ForestRow:
    decimals = difference_decimals(one.estimate)
    span = one.interval
    told = interval(span, decimals) + (f" ({level_text(span)})" if levelled and span else "")
    first = next(iter(one.tests), None)
    p = (first.p if first.p_adjusted is None else first.p_adjusted) if first else None
    bar = None
    if one.estimate is not None:
        ends = (place[span.low], place[span.high]) if span else (None, None)
        bar = Bar(place[one.estimate], *ends)
    return ForestRow(
        label=whole_contrast(one),
        analysis=one.analysis if twice else "",
        estimate=number(one.estimate, decimals),
        interval=told or ("no interval" if one.estimate is not None else "not estimated"),
        n=counted(one),
        p=probability(p),
        held_back=one.held_back,
        bar=bar,
        sessions=behind_comparison(given, one),
        strong=one == headline_comparison(given),
    )


def _places(found: Sequence[Comparison]) -> Mapping[float, float]:
    """Every number of these rows, and 0 -> where it stands, in per cent of a row."""
    values = sorted({0.0, *(value for one in found for value in _numbers(one))})
    width = (values[-1] - values[0]) or 1.0
    return {value: round(EDGE + (100 - 2 * EDGE) * (value - values[0]) / width, 2) for value in values}


def _numbers(one: Comparison) -> Iterator[float]:
    if one.estimate is not None:
        yield one.estimate
        if one.interval is not None:
            yield from (one.interval.low, one.interval.high)
