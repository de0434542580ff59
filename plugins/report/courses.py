"""Courses of several sessions: the PHQ-9 before each, by arm."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from cbtrun.plugins.report.curves import Curve, Point, draw_curves
from cbtrun.plugins.report.figure_style import Plate
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import with_interval
from cbtrun.results import clustered_interval

NOTE = "A simulated patient’s answers say how it was told to be, not how anybody is"


def trajectories(given: ReportInput) -> list[Curve]:
    """Mean PHQ-9 before each session, one curve an arm; empty where it was not asked."""
    found: dict[str, dict[int, list[tuple[float, str]]]] = {}
    for session in given.sessions:
        if "phq9" in session.measures:
            of_arm = found.setdefault(session.arm or "all", {})
            of_arm.setdefault(session.number, []).append((session.measures["phq9"], session.persona or session.id))
    return [
        Curve(arm, tuple(_point(number, of_arm[number]) for number in sorted(of_arm))) for arm, of_arm in found.items()
    ]


def _point(number: int, values: list[tuple[float, str]]) -> Point:
    points = [value for value, _ in values]
    interval = clustered_interval(points, [persona for _, persona in values])
    return Point(number, str(number), len(points), sum(points) / len(points), interval)


def course_plates(given: ReportInput) -> Iterator[Plate]:
    """The trajectory, where there are several sessions."""
    curves = trajectories(given)
    if any(len(curve.points) > 1 for curve in curves):
        caption = f"Mean PHQ-9 before each session with its 95 % interval. {NOTE}."
        draw = partial(draw_curves, curves, "session", "PHQ-9, points")
        yield Plate("phq9", "PHQ-9 in the course of treatment", caption, draw)


def course_table(given: ReportInput) -> Table | None:
    """Every point of the trajectory."""
    rows = [
        Row((curve.level, point.label, str(point.n), with_interval(point.mean, point.interval)), starts=at == 0)
        for curve in trajectories(given)
        for at, point in enumerate(curve.points)
    ]
    columns = ("Arm", "Session", "n", "Mean [95 % CI]")
    return Table("phq9", "PHQ-9 before each session", columns, tuple(rows), 1, None, (NOTE,)) if rows else None
