"""What the first screen says beside its finding: what moved against it, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from cbtrun.plugin import Comparison, is_shown, level_name
from cbtrun.plugins.report.behind import behind_comparison, unscored
from cbtrun.plugins.report.care import Care
from cbtrun.plugins.report.inputs import ReportInput, headline_comparison, main_grouping
from cbtrun.plugins.report.persona_groups import headline_outcome
from cbtrun.plugins.report.result_tables import outcome_title, titles_by_outcome
from cbtrun.plugins.report.scales import points_of
from cbtrun.plugins.report.wording import difference_decimals, number, probability, with_interval

MOST_AGAINST = 4
"""Outcomes against the finding that are told one by one."""


def moved_against(given: ReportInput) -> list[Care]:
    """Outcomes of the headline's contrast that point the other way: those shown one by one, the others counted."""
    headline = headline_comparison(given)
    if headline is None or not headline.estimate or len(headline.levels) != 2:
        return []
    others = [(one, estimate) for one, estimate in _same_contrast(given, headline) if estimate is not None]
    if not others:
        return []
    against = [(one, estimate) for one, estimate in others if estimate * headline.estimate < 0]
    shown = [(one, estimate) for one, estimate in against if is_shown(one)]
    told = [_against(given, one, estimate) for one, estimate in shown[:MOST_AGAINST]]
    if len(shown) > MOST_AGAINST:
        told.append(Care(f"{len(shown) - MOST_AGAINST} more moved against it: see Contrasts."))
    return [*told, Care(_rest(len(others), len(shown), len(against)))]


def what_is_missing(given: ReportInput) -> Care:
    """How many sessions have no value of the headline's outcome, by level; that none is missing is told too."""
    outcome = headline_outcome(given)
    if outcome is None:
        return Care("Nothing was rated.")
    title, grouping = outcome_title(given, outcome), main_grouping(given)
    everyone = next(iter(outcome.groups.get("all", ())), None)
    if everyone is None or not everyone.missing:
        failed = sum(given.results.counts.failures.values())
        rest = f"; {failed} unit{'s' if failed != 1 else ''} of work could not be finished" if failed else ""
        return Care(f"No session lacks a {title}{rest}.")
    groups = [one for one in outcome.groups.get(grouping, ()) if one.missing] if grouping != "all" else []
    where = ", ".join(f"{level_name(one.level, grouping)} {one.missing}" for one in groups)
    text = f"{everyone.missing} of {everyone.n + everyone.missing} sessions have no {title}"
    return Care(f"{text}{f' ({where})' if where else ''}.", unscored(given, outcome.outcome, {}))


def _same_contrast(given: ReportInput, headline: Comparison) -> Iterator[tuple[Comparison, float | None]]:
    """Other outcomes of the same levels in the same analysis, each turned as the headline is."""
    for one in given.results.comparisons:
        alike = (one.analysis, one.factor, one.where, one.moderated) == (
            headline.analysis,
            headline.factor,
            headline.where,
            headline.moderated,
        )
        if alike and not one.subgroup and one.outcome != headline.outcome and {*one.levels} == {*headline.levels}:
            sign = 1 if one.levels == headline.levels else -1
            yield one, None if one.estimate is None else sign * one.estimate


def _against(given: ReportInput, one: Comparison, estimate: float) -> Care:
    title = titles_by_outcome(given).get(one.outcome, one.outcome)
    decimals = difference_decimals(estimate, 2 if abs(estimate) < 1 else 1)
    fell = "fell" if estimate < 0 else "rose"
    first = next(iter(one.tests), None)
    p = ""
    if first is not None:
        p = f", {'p' if first.p_adjusted is None else 'adjusted p'} {_equals(first.p_adjusted or first.p)}"
    size = with_interval(one.estimate, one.interval, decimals)
    text = f"{title} {fell} by {number(abs(estimate), decimals)} {_of_points(given, one.outcome)} (difference {size}{p}, n = {one.n})."
    return Care(text, behind_comparison(given, one))


def _of_points(given: ReportInput, outcome: str) -> str:
    """`of 6 points`, as a sentence has it."""
    return " ".join(reversed(points_of(given, outcome).split(" ", 1)))


def _rest(others: int, shown: int, against: int) -> str:
    """What is said of the other outcomes: not shown is not shown absent."""
    pointing = against - shown
    many = f"{pointing} {'more ' if shown else ''}estimate{'s' if pointing != 1 else ''}"
    point = f"{many} point{'s' if pointing == 1 else ''} that way without being shown" if pointing else ""
    of = f"{others} other outcome{'s' if others != 1 else ''} of this contrast"
    if not shown:
        return f"Of {of} none was shown to move the other way{f'; {point}' if point else ''}."
    return f"{'This is' if shown == 1 else 'These are'} {shown} of {of}{f'; {point}' if point else ''}."


def _equals(p: float) -> str:
    told = probability(p)
    return told if told.startswith("<") else f"= {told}"
