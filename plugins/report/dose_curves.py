"""Scores against a factor whose levels are numbers: courses in the corpus, rank, sessions of training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from cbtrun.plugin import GroupSummary
from cbtrun.plugins.report.behind import scored
from cbtrun.plugins.report.curves import Curve, Point, draw_curves
from cbtrun.plugins.report.figure_style import Plate
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.result_tables import outcome_title, outcomes

FEWEST_LEVELS = 3  # two points are a difference, and stand among the contrasts


def dose_plates(given: ReportInput) -> Iterator[Plate]:
    """One plate for each total or subscale and each factor with three or more numeric levels."""
    for outcome in outcomes(given, ("total", "subscale")):
        for factor, groups in outcome.groups.items():
            points = dose_points(groups) if factor != "session_number" else ()
            if len(points) >= FEWEST_LEVELS:
                what = factor.replace("_", " ")
                name = "".join(sign if sign.isalnum() else "-" for sign in f"{outcome.outcome}-by-{factor}")
                title = f"{outcome_title(given, outcome)} against {what}"
                caption = (
                    f"Mean of the sessions at each number of {what}, with its 95 % interval (clustered by persona)."
                )
                points = tuple(
                    replace(one, sessions=scored(given, outcome.outcome, {factor: one.label})) for one in points
                )
                yield Plate(name, title, caption, partial(draw_curves, [Curve("", points)], what, "points"))


def dose_points(groups: tuple[GroupSummary, ...]) -> tuple[Point, ...]:
    """The levels as points, ascending; none where a level is no number."""
    try:
        placed = sorted(((float(one.level), one) for one in groups), key=lambda one: one[0])
    except ValueError:
        return ()
    return tuple(
        Point(at, one.level, one.n, one.mean, one.interval) for at, one in placed if one.n and one.mean is not None
    )
