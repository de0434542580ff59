"""Agenda, depth and coherence in the course of a session: against turn number and tokens of context, by arm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial

from cbtrun.plugin import Session, clustered_interval, level_of
from cbtrun.plugins.report.behind import behind
from cbtrun.plugins.report.curves import Curve, Point, draw_curves
from cbtrun.plugins.report.figure_style import Plate
from cbtrun.plugins.report.inputs import InputKey, ReportInput, grouped_levels, main_grouping
from cbtrun.plugins.report.session_curves import MEASURES, TurnMeasure, turn_measures
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import with_interval

BINS = 6  # points of a curve
FEWEST_TURNS = 6  # of the median session: below that there is no course to draw
NOTE = "Measured by program in the therapist’s turns: words, not meanings. Intervals are clustered by persona"

Measured = list[tuple[Session, list[TurnMeasure]]]


def limitation_plates(given: ReportInput) -> Iterator[Plate]:
    """Two plates a measure: against the turn’s number, and against the tokens before it."""
    for measure, title in MEASURES.items():
        for axis, what, found in _curves_of(given, measure):
            curves = [one for curve in found if (one := _drawable(curve)) is not None]
            if curves:
                least = min(point.n for curve in curves for point in curve.points)
                caption = (
                    f"Share of the therapist’s turns, with 95 % intervals (clustered by persona), by {what}; "
                    f"at least {least} turns a point. Points without an interval stand in the table alone."
                )
                draw = partial(draw_curves, curves, what, "share of turns", shares=True)
                yield Plate(f"limitation-{measure}-by-{axis}", f"{title}, by {what}", caption, draw)


def limitation_table(given: ReportInput) -> Table | None:
    """Every point of the curves with its n and interval; none where sessions are too short."""
    rows = [
        Row(
            (
                title.split(":")[0],
                what,
                curve.level,
                point.label,
                str(point.n),
                with_interval(point.mean, point.interval, 2),
            ),
            sessions=point.sessions,
        )
        for measure, title in MEASURES.items()
        for _, what, curves in _curves_of(given, measure)
        for curve in curves
        for point in curve.points
    ]
    columns = ("Measure", "Against", main_grouping(given).replace("_", " "), "Part", "Turns", "Share [95 % CI]")
    return (
        Table(
            "limitations",
            "Agenda, depth and coherence in the course of a session",
            columns,
            tuple(rows),
            4,
            4,
            (NOTE,),
        )
        if rows
        else None
    )


def _curves_of(given: ReportInput, measure: str) -> Iterator[tuple[str, str, list[Curve]]]:
    measured = _measured(given)
    for axis, what, place in (("turn", "turn number", _turn), ("context", "tokens of context", _tokens)):
        yield axis, what, list(curves(given, measured, measure, place))


def curves(
    given: ReportInput, measured: Mapping[str, Measured], measure: str, place: Callable[[TurnMeasure], int]
) -> Iterator[Curve]:
    """One curve a level of the main grouping, all with the same parts."""
    places = [place(one) for pairs in measured.values() for _, turns in pairs for one in turns if measure in one.values]
    edges = _edges(places)
    for level, pairs in measured.items():
        points = [point for low, high in edges if (point := _point(pairs, measure, place, low, high))]
        if points:
            levels = {main_grouping(given): level}
            yield Curve(level, tuple(replace(point, sessions=behind(given, levels, ids)) for point, ids in points))


def _drawable(curve: Curve) -> Curve | None:
    """The curve's points that have an interval: a share of a turn or two is no course; none where that leaves no line."""
    points = tuple(point for point in curve.points if point.interval is not None)
    return Curve(curve.level, points) if len(points) > 1 else None


def _point(
    pairs: Measured, measure: str, place: Callable[[TurnMeasure], int], low: int, high: int
) -> tuple[Point, set[str]] | None:
    """Mean over the turns of one part, clustered by persona, and the sessions that have such turns."""
    found = [
        (one.values[measure], session)
        for session, turns in pairs
        for one in turns
        if measure in one.values and low <= place(one) <= high
    ]
    if not found:
        return None
    values = [value for value, _ in found]
    clusters = [session.persona or f"session:{session.id}" for _, session in found]
    interval = clustered_interval(values, clusters, ends=(0, 1))
    point = Point((low + high) / 2, f"{low}–{high}", len(values), sum(values) / len(values), interval)
    return point, {session.id for _, session in found}


def _edges(places: list[int]) -> list[tuple[int, int]]:
    """Parts with about as many turns each."""
    ordered = sorted(set(places))
    if len(ordered) < 2:
        return []
    count = min(BINS, len(ordered))
    cuts = [ordered[at * len(ordered) // count] for at in range(count)]
    return [(low, (cuts[at + 1] - 1) if at + 1 < count else ordered[-1]) for at, low in enumerate(cuts)]


def _measured(given: ReportInput) -> dict[str, Measured]:
    """Level of the main grouping -> its sessions, measured; empty where sessions are short."""
    return _by_level(InputKey(given))


@lru_cache(maxsize=1)
def _by_level(key: InputKey) -> dict[str, Measured]:
    grouping, found = main_grouping(key.given), dict[str, Measured]()
    lengths = sorted(len(session.turns) for session in key.given.sessions)
    if not lengths or lengths[len(lengths) // 2] < FEWEST_TURNS:
        return {}
    for session in key.given.sessions:
        level = level_of(session, grouping)
        if level is not None:
            found.setdefault(level, []).append((session, list(turn_measures(session))))
    order = [level for level in grouped_levels(key.given, grouping) if level in found]
    return {level: found[level] for level in dict.fromkeys([*order, *found])}


def _turn(one: TurnMeasure) -> int:
    return one.turn


def _tokens(one: TurnMeasure) -> int:
    return one.tokens
