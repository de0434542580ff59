"""Scores against a factor whose levels are numbers: courses in the corpus, rank, sessions of training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from cbtrun.plugin import GroupSummary, OutcomeSummary
from cbtrun.plugins.report.behind import scored
from cbtrun.plugins.report.curves import Curve, Point, draw_curves
from cbtrun.plugins.report.figure_style import Plate
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.result_tables import outcome_title, outcomes
from cbtrun.plugins.report.scales import points_of

FEWEST_LEVELS = 3  # two points are a difference, and stand among the contrasts


def dose_plates(given: ReportInput) -> Iterator[Plate]:
    """One plate for each total or subscale and each factor with three or more numeric levels."""
    kinds = ("total", "subscale")
    for outcome, named in zip(outcomes(given, kinds), outcomes(given.named, kinds), strict=True):
        yield from _plates(given, outcome, named)


def _plates(given: ReportInput, outcome: OutcomeSummary, named: OutcomeSummary) -> Iterator[Plate]:
    """named: the outcome with the names that its groups have in the study's file: a label may be no number."""
    for (factor, groups), (plain_factor, plain_groups) in zip(
        outcome.groups.items(), named.groups.items(), strict=True
    ):
        points = dose_points(groups, [one.level for one in plain_groups]) if plain_factor != "session_number" else ()
        if len(points) < FEWEST_LEVELS:
            continue
        what = factor.replace("_", " ")
        name = "".join(sign if sign.isalnum() else "-" for sign in f"{outcome.outcome}-by-{plain_factor}")
        title = f"{outcome_title(given, outcome)} against {what}"
        caption = f"Mean of the sessions at each number of {what}, with its 95 % interval (clustered by persona)."
        points = tuple(replace(one, sessions=scored(given, outcome.outcome, {factor: one.label})) for one in points)
        labels = {one.at: one.label for one in points} if groups != plain_groups else None
        draw = partial(draw_curves, [Curve("", points)], what, points_of(given, outcome.outcome), labels=labels)
        yield Plate(name, title, caption, draw)


def dose_points(groups: Sequence[GroupSummary], levels: Sequence[str]) -> tuple[Point, ...]:
    """The groups as points, ascending; none where a level is no number. levels: their names in the study's file."""
    try:
        placed = sorted(((float(level), one) for level, one in zip(levels, groups, strict=True)), key=lambda at: at[0])
    except ValueError:
        return ()
    return tuple(
        Point(at, one.level, one.n, one.mean, one.interval) for at, one in placed if one.n and one.mean is not None
    )
