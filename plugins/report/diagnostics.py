"""What a careful reader would ask about these numbers, answered from the numbers: warnings in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from cbtrun.plugin import Comparison, is_own_score, reason_kind, tunings_of
from cbtrun.plugins.report.behind import behind, behind_comparison, unscored
from cbtrun.plugins.report.care import Care
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.rating_checks import rating_warnings
from cbtrun.plugins.report.reliability import low_reliability
from cbtrun.plugins.report.result_tables import outcome_title, outcomes

PILED = 0.5
"""Share of sessions at one end of a scale from which differences are hidden by that end."""
FEW = 20
"""Units below which a comparison is called small."""


def warnings(given: ReportInput) -> list[Care]:
    """Everything that should make a reader careful, most serious first."""
    found: list[str | Care] = [
        *_missing(given),
        *_failed(given),
        *_left_out(given),
        *_piled_up(given),
        *_trained_on(given),
        *_few(given),
        *low_reliability(given),
        *rating_warnings(given),
        *_one_rater(given),
        *_ended(given),
    ]
    return [one if isinstance(one, Care) else Care(one) for one in [*found, *_flagged(given)]]


def _missing(given: ReportInput) -> Iterator[Care]:
    for outcome in outcomes(given, ("total",)):
        everyone = outcome.groups["all"][0] if outcome.groups.get("all") else None
        if everyone and everyone.missing:
            share = everyone.missing / (everyone.n + everyone.missing)
            yield Care(
                f"{everyone.missing} of {everyone.n + everyone.missing} sessions ({share:.0%}) have no "
                f"{outcome_title(given, outcome)}; they are left out (complete cases) and never counted as zero.",
                unscored(given, outcome.outcome, {}),
            )


def _left_out(given: ReportInput) -> Iterator[str]:
    """What the files held and no session has."""
    counts = "; ".join(f"{why}: {count:,}" for why, count in given.left_out.items())
    if counts:
        yield f"Of the files of sessions, this was not taken as they have it. {counts[:1].upper()}{counts[1:]}."


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


def _trained_on(given: ReportInput) -> Iterator[str]:
    """Tune jobs that nothing but their own reward speaks for."""
    study = given.study
    for job in study.tune_jobs:
        about = [one for one in given.results.comparisons if job in tunings_of(one, study)]
        by_people = any(one.corrected is not None and not one.corrected.withheld for one in about)
        if about and not by_people and all(is_own_score(one.outcome, job, study) for one in about):
            yield (
                f"`{job}` is compared only on the score that it was trained to raise, which rises whether or not the model is any "
                "better: an analysis on a rating set that had no part in its training decides that."
            )


def _few(given: ReportInput) -> Iterator[Care]:
    least = min(given.results.comparisons, key=lambda one: one.n, default=None)
    if least is not None and least.n < FEW:
        yield Care(
            f"Some comparisons rest on few units (n = {least.n}): intervals are wide, and a single session can move them.",
            behind_comparison(given, least),
        )


def few_units(one: Comparison) -> str:
    """What stands beside a comparison of few units; empty where there are enough."""
    if one.n >= FEW:
        return ""
    return (
        f"n = {one.n} is few: the interval is wide, checks of assumptions see little, and one unit can move the result"
    )


def _one_rater(given: ReportInput) -> Iterator[str]:
    for name, rated in given.results.ratings.items():
        if len(rated.raters) == 1 and rated.repeats <= 1:
            yield f"{name} was rated once by one rater ({rated.raters[0]}): how far scores would repeat is not known."


def _ended(given: ReportInput) -> Iterator[Care]:
    cut = [session.id for session in given.sessions if session.ended == "max_turns"]
    if cut:
        text = f"{len(cut)} of {len(given.sessions)} sessions were stopped by the limit of turns, not by a farewell."
        yield Care(text, behind(given, {}, cut))


def _flagged(given: ReportInput) -> Iterator[Care]:
    for flag, count in given.results.flags.items():
        ids = [one.id for one in given.sessions if flag in {reason_kind(raised) for raised in one.flags}]
        text = f"{count} session{'s' if count != 1 else ''} carr{'y' if count != 1 else 'ies'} the flag “{flag.replace('_', ' ')}”."
        yield Care(text, behind(given, {}, ids))
