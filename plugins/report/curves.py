"""A curve: means with their intervals, one line a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbtrun.plugin import Interval
from cbtrun.plugins.report.behind import Levels, link
from cbtrun.plugins.report.figure_style import MUTED, NARROW, group_colour, group_marker
from cbtrun.plugins.report.plain_text import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Point:
    """One mean."""

    at: float
    """Where it stands on the horizontal axis."""
    label: str
    """What it stands for: `turns 5-8`."""
    n: int
    """Values behind it."""
    mean: float
    interval: Interval | None
    sessions: Levels | None = None
    """Filter of the list of sessions that shows the ones behind it."""


@dataclass(frozen=True)
class Curve:
    """One group's means."""

    level: str
    """The group's name; empty where there are no groups."""
    points: tuple[Point, ...]


def draw_curves(
    curves: Sequence[Curve],
    x: str,
    y: str,
    width: int,
    *,
    shares: bool = False,
    labels: Mapping[float, str] | None = None,
) -> Figure:
    """Every group a line with a bar for each interval.

    shares: the vertical axis is 0 to 1. labels: what stands at places of the horizontal axis instead of their numbers.
    """
    from cbtrun.plugins.report.figures import _canvas

    figure, axes = _canvas(width, height=300)
    axes.grid(axis="both")
    for order, curve in enumerate(curves):
        at = [point.at for point in curve.points]
        means = [point.mean for point in curve.points]
        low = [point.mean - (point.interval.low if point.interval else point.mean) for point in curve.points]
        high = [(point.interval.high if point.interval else point.mean) - point.mean for point in curve.points]
        axes.errorbar(
            at,
            means,
            yerr=[[max(0.0, one) for one in low], [max(0.0, one) for one in high]],
            color=group_colour(order),
            marker=group_marker(order),
            ms=5,
            lw=1.8,
            elinewidth=1.1,
            capsize=2.5,
            label=shortened(curve.level, 24),
        )
        dots = axes.scatter(at, means, s=25, color=group_colour(order), marker=group_marker(order), zorder=3)
        dots.set_urls([link(point.sessions) if point.sessions is not None else None for point in curve.points])
    spread = [point.at for curve in curves for point in curve.points]
    if spread and max(spread) - min(spread) >= 1:
        axes.locator_params(axis="x", integer=True)
    if shares:
        axes.set_ylim(-0.03, 1.03)
    if labels:
        longest = 11 if width <= NARROW else 22
        axes.set_xticks([*labels], [shortened(one, longest) for one in labels.values()])
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.tick_params(axis="y", labelcolor=MUTED)
    if any(
        curve.level for curve in curves
    ):  # one alone too: it may be one of several groups, the others without values
        figure.legend(loc="outside upper left", ncols=2 if width <= NARROW else 5, fontsize=11.5, handletextpad=0.3)
    return figure
