"""What a careful reader would ask about these numbers, answered from the numbers: warnings in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.rating_checks import rating_warnings
from cbtrun.plugins.report.reliability import low_reliability
from cbtrun.plugins.report.result_tables import outcome_title, outcomes

PILED = 0.5
"""Share of sessions at one end of a scale from which differences are hidden by that end."""


def warnings(given: ReportInput) -> list[str]:
    """Everything that should make a reader careful, most serious first."""
    found = [
        *_missing(given),
        *_failed(given),
        *_piled_up(given),
        *_few(given),
        *low_reliability(given),
        *rating_warnings(given),
        *_one_rater(given),
        *_ended(given),
    ]
    return [*found, *_flagged(given)]


def _missing(given: ReportInput) -> Iterator[str]:
    for outcome in outcomes(given, ("total",)):
        everyone = outcome.groups["all"][0] if outcome.groups.get("all") else None
        if everyone and everyone.missing:
            share = everyone.missing / (everyone.n + everyone.missing)
            yield (
                f"{everyone.missing} of {everyone.n + everyone.missing} sessions ({share:.0%}) have no "
                f"{outcome_title(given, outcome)}; they are left out of its means and never counted as zero."
            )


def _failed(given: ReportInput) -> Iterator[str]:
    for stage, count in given.results.counts.failures.items():
        yield f"{count} unit{'s' if count != 1 else ''} of {stage} could not be finished; the same command tries just those again."


def _piled_up(given: ReportInput) -> Iterator[str]:
    low_items, high_items = [], []
    for name, rated in given.results.ratings.items():
        for item in rated.rubric.items:
            values = [value for value in given.rated[name].values.get(item.id, {}).values() if value is not None]
            if len(values) < 5 or item.low is None:
                continue
            if sum(value <= item.low for value in values) / len(values) > PILED:
                low_items.append(item.title)
            if item.high is not None and sum(value >= item.high for value in values) / len(values) > PILED:
                high_items.append(item.title)
    for end, items in (("lowest", low_items), ("highest", high_items)):
        if items:
            yield f"More than half of the sessions have the {end} possible score on: {', '.join(items)}. Differences there are hidden."


def _few(given: ReportInput) -> Iterator[str]:
    small = sorted({one.n for one in given.results.comparisons if one.n < 20})
    if small:
        yield f"Some comparisons rest on few units (n = {small[0]}): intervals are wide, and a single session can move them."


def _one_rater(given: ReportInput) -> Iterator[str]:
    for name, rated in given.results.ratings.items():
        if len(rated.raters) == 1 and rated.repeats <= 1:
            yield f"{name} was rated once by one rater ({rated.raters[0]}): how far scores would repeat is not known."


def _ended(given: ReportInput) -> Iterator[str]:
    cut = sum(session.ended == "max_turns" for session in given.sessions)
    if cut:
        yield f"{cut} of {len(given.sessions)} sessions were stopped by the limit of turns, not by a farewell."


def _flagged(given: ReportInput) -> Iterator[str]:
    for flag, count in given.results.flags.items():
        yield f"{count} session{'s' if count != 1 else ''} carry the flag “{flag.replace('_', ' ')}”."
