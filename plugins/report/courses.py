"""Courses of several sessions: the PHQ-9 before each, by arm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from cbtrun.plugin import Session, clustered_interval
from cbtrun.plugins.report.behind import behind
from cbtrun.plugins.report.curves import Curve, Point, draw_curves
from cbtrun.plugins.report.figure_style import Plate
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import with_interval

PHQ9 = (0, 27)
"""Ends of the scale."""
NOTE = "A simulated patient’s answers say how it was told to be, not how anybody is"


def trajectories(given: ReportInput) -> list[Curve]:
    """Mean PHQ-9 before each session, one curve an arm; empty where it was not asked."""
    found: dict[str, dict[int, list[Session]]] = {}
    for session in given.sessions:
        if "phq9" in session.measures:
            of_arm = found.setdefault(session.arm or "all", {})
            of_arm.setdefault(session.number, []).append(session)
    return [
        Curve(arm, tuple(_point(given, arm, number, of_arm[number]) for number in sorted(of_arm)))
        for arm, of_arm in found.items()
    ]


def _point(given: ReportInput, arm: str, number: int, sessions: Sequence[Session]) -> Point:
    points = [session.measures["phq9"] for session in sessions]
    interval = clustered_interval(points, [session.persona or session.id for session in sessions], ends=PHQ9)
    shown = behind(given, {"arm": arm}, [session.id for session in sessions])
    return Point(number, str(number), len(points), sum(points) / len(points), interval, shown)


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
        Row(
            (curve.level, point.label, str(point.n), with_interval(point.mean, point.interval)),
            sessions=point.sessions,
            starts=at == 0,
        )
        for curve in trajectories(given)
        for at, point in enumerate(curve.points)
    ]
    columns = ("Arm", "Session", "n", "Mean [95 % CI]")
    return Table("phq9", "PHQ-9 before each session", columns, tuple(rows), 2, 2, (NOTE,)) if rows else None
