"""Designs of a D study as a figure and as numbers: what each costs against the smallest effect that it finds."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import Frontier, Priced, write_atomically
from cbtrun.plugins.report.figure_style import INK, MUTED, NARROW, Plate, group_colour, group_marker, save_figure
from cbtrun.plugins.report.tables import as_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = (
    *("which", "personas", "seeds", "sessions", "raters", "repeats", "wordings"),
    *("cost", "currency", "detectable_points", "half_width_points", "limited_by"),
)


def write_frontier(frontier: Frontier, folder: Path) -> list[Path]:
    """d-study.csv and the figure as SVG, PDF and PNG; gives the files."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "d-study.csv"
    rows = [_row(which, one, frontier) for which, one in _told(frontier)]
    write_atomically(table, as_csv(COLUMNS, rows))
    caption = f"Cost and smallest effect found with power {frontier.power:g}: {frontier.title}."
    plate = Plate("d-study", "Designs", caption, partial(draw_frontier, frontier))
    return [table, *save_figure(plate, folder, ("svg", "pdf", "png"))]


def draw_frontier(frontier: Frontier, width: int) -> Figure:
    """The frontier as a line, the pilot, the cheapest for the effect and the best for the budget as marks."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, (430 if width <= NARROW else 380) / 72))
    axes = figure.subplots()
    shown = [one for one in frontier.points if one.cost > 0]
    line = [(one.cost, one.detectable) for one in shown]
    if line:
        axes.plot(
            *zip(*line, strict=True), color=group_colour(0), marker=group_marker(0), ms=4, lw=1.6, label="frontier"
        )
    for order, (label, one) in enumerate(_marks(frontier), start=1):
        if one is not None and one.cost > 0 and one.detectable < float("inf"):
            style: dict[str, Any] = {"color": group_colour(order), "marker": group_marker(order), "ms": 9, "ls": "none"}
            axes.plot([one.cost], [one.detectable], label=f"{label}: {one.design.words()}", **style)
    if frontier.effect is not None:
        axes.axhline(frontier.effect, color=INK, lw=1, ls=(0, (4, 3)))
    if frontier.budget is not None:
        axes.axvline(frontier.budget, color=INK, lw=1, ls=(0, (1, 3)))
    axes.set_xscale("log")
    axes.set_yscale("log")
    _plain_ticks(axes)
    axes.set_xlabel(f"cost, {frontier.currency}")
    axes.set_ylabel("smallest effect found, points")
    axes.grid(axis="both")
    axes.tick_params(axis="y", labelcolor=MUTED)
    figure.legend(loc="outside upper left", ncols=1, fontsize=10.5)
    return figure


def _plain_ticks(axes: object) -> None:
    """Round numbers on logarithmic axes, written out."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    for axis in (axes.xaxis, axes.yaxis):  # type: ignore[attr-defined]  # matplotlib's Axes, imported where it is drawn
        axis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axis.set_minor_formatter(NullFormatter())


def _marks(frontier: Frontier) -> list[tuple[str, Priced | None]]:
    wanted = f"{frontier.effect:g} points" if frontier.half_width is None and frontier.effect else "the interval"
    return [
        ("pilot", frontier.pilot),
        (f"cheapest for {wanted}", frontier.cheapest),
        ("best for the budget", frontier.best),
    ]


def _told(frontier: Frontier) -> list[tuple[str, Priced]]:
    named = [("pilot", frontier.pilot), ("cheapest", frontier.cheapest), ("best", frontier.best)]
    return [(which, one) for which, one in named if one is not None] + [("frontier", one) for one in frontier.points]


def _row(which: str, one: Priced, frontier: Frontier) -> tuple[object, ...]:
    numbers = (one.cost, frontier.currency, one.detectable, one.half_width)
    return (which, *one.design, *numbers, frontier.limits[one.design])
