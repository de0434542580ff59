"""The flow of sessions as trials draw it: from what was planned to what the finding rests on, a column an arm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from cbtrun.plugins.report.figure_style import INK, MUTED, NARROW, PAPER, RULE, Plate
from cbtrun.plugins.report.flow import ArmFlow, flow
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.plain_text import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS, MOST_ON_A_PHONE = 5, 2
"""Arms side by side; more stand in a further row of columns."""
BOX, STEP, GAP, TOP = 34, 70, 14, 52
"""Pixels: height of a box, from box to box, between columns, the box of all sessions with its lines."""
LETTER = 6.3
"""Pixels that a letter takes at most, on average."""


@dataclass(frozen=True)
class Stop:
    """One box of an arm, and what is lost on the way to the next one."""

    words: str
    lost: tuple[str, ...] = ()


def flow_plates(given: ReportInput) -> Iterator[Plate]:
    """The flow of sessions, where there are some."""
    arms = flow(given) if given.sessions else []
    if arms:
        caption = "What is lost between two boxes stands beside the arrow; the table below has the same numbers."
        yield Plate("flow", "Flow of sessions", caption, partial(draw_flow, arms))


def draw_flow(arms: Sequence[ArmFlow], width: int) -> Figure:
    """Columns of boxes under one box of all sessions; wraps where the arms are many."""
    from matplotlib.figure import Figure

    across = min(len(arms), MOST_ON_A_PHONE if width <= NARROW else MOST_COLUMNS)
    rows = [arms[at : at + across] for at in range(0, len(arms), across)]
    column = (width - 2 - GAP * (across - 1)) / across
    stops = [stops_of(one) for one in arms]
    deep = max(map(len, stops)) * STEP - (STEP - BOX) + 26
    height = TOP + len(rows) * deep + (len(rows) - 1) * GAP + 2
    figure = Figure(figsize=(width / 72, height / 72))
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    _box(axes, width / 2 - 110, 1, 220, all_sessions(arms))
    for row, members in enumerate(rows):
        y = TOP + row * (deep + GAP)
        if row == 0:
            _spread(axes, width / 2, [1 + at * (column + GAP) + column / 2 for at in range(len(members))], y)
        for at, one in enumerate(members):
            _column(axes, 1 + at * (column + GAP), y, column, one.arm, stops_of(one))
    return figure


def all_sessions(arms: Sequence[ArmFlow]) -> str:
    """What the first box says: what was planned, else what was held."""
    planned = [one.planned for one in arms]
    if None in planned:
        return f"{sum(one.held for one in arms)} sessions"
    return f"{sum(one or 0 for one in planned)} sessions planned"


def stops_of(one: ArmFlow) -> list[Stop]:
    """Planned, held, rated, in the finding: each with what is lost after it."""
    stops = []
    if one.planned is not None:
        stops.append(Stop(f"planned {one.planned}", (f"not held {max(0, one.planned - one.held)}",)))
    stops.append(Stop(f"held {one.held}", (f"no score {one.held - one.rated}",)))
    if one.analysed is None:
        return [*stops, Stop(f"rated {one.rated}"), Stop("not in the finding")]
    rest = max(0, one.rated - one.analysed - one.excluded)
    lost = (f"excluded {one.excluded}", *([f"no partner {rest}"] if rest else []))
    return [*stops, Stop(f"rated {one.rated}", lost), Stop(f"analysed {one.analysed}")]


def _column(axes: Axes, x: float, y: float, width: float, arm: str, stops: Sequence[Stop]) -> None:
    letters = int(width / (LETTER + 0.7))
    axes.text(x + width / 2, y + 14, shortened(arm, letters), ha="center", va="center", color=INK, weight="bold")
    first = y + 26
    tops = [first + at * STEP for at in range(len(stops))]
    for top, stop in zip(tops, stops, strict=True):
        _box(axes, x, top, width, shortened(stop.words, letters))
    for (top, below), stop in zip(pairwise(tops), stops, strict=False):
        _arrow(axes, x + width / 2, top + BOX, below)
        middle = (top + BOX + below) / 2
        axes.text(x + width / 2 + 9, middle, "\n".join(stop.lost), va="center", color=MUTED, fontsize=11)


def _box(axes: Axes, x: float, y: float, width: float, words: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    shape = "round,pad=0,rounding_size=6"
    axes.add_patch(FancyBboxPatch((x, y), width, BOX, boxstyle=shape, facecolor=PAPER, edgecolor=RULE, linewidth=1.2))
    axes.text(x + width / 2, y + BOX / 2, words, ha="center", va="center", color=INK)


def _arrow(axes: Axes, x: float, start: float, end: float) -> None:
    arrow = {"arrowstyle": "-|>", "color": MUTED, "linewidth": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=(x, end), xytext=(x, start), arrowprops=arrow)


def _spread(axes: Axes, start: float, ends: Sequence[float], y: float) -> None:
    """Lines from the box of all sessions to the columns of the first row."""
    middle = 1 + BOX + (y - BOX) / 2
    axes.plot([start, start], [1 + BOX, middle], color=MUTED, lw=1)
    axes.plot([min(start, *ends), max(start, *ends)], [middle, middle], color=MUTED, lw=1)
    for end in ends:
        axes.plot([end, end], [middle, y + 2], color=MUTED, lw=1)
