"""Power curves as a figure and as numbers, for `cbtrun power`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.plugin import PlannedTest, Wanted, effect_curve, planned_alike, size_curve, write_atomically
from cbtrun.plugins.report.figure_style import INK, MUTED, NARROW, Plate, group_colour, group_marker, save_figure
from cbtrun.plugins.report.plain_text import shortened
from cbtrun.plugins.report.tables import as_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("analyses", "test", "unit", "n", "effect", "size", "points", "alpha", "power")


def write_curves(tests: Sequence[PlannedTest], wanted: Wanted, folder: Path) -> list[Path]:
    """power.csv (both curves of every test) and the figure as SVG, PDF and PNG; gives the files."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "power.csv"
    write_atomically(table, as_csv(COLUMNS, _rows(tests, wanted)))
    plate = Plate("power", "Power", "Power by effect and by n.", partial(draw_power, tests, wanted))
    return [table, *save_figure(plate, folder, ("svg", "pdf", "png"))]


def draw_power(tests: Sequence[PlannedTest], wanted: Wanted, width: int) -> Figure:
    """Left: power against the effect at the study's n; right: against n for the wanted effect. One line a kind of test."""
    from matplotlib.figure import Figure

    stacked = width <= NARROW
    figure = Figure(figsize=(width / 72, (560 if stacked else 330) / 72))
    by_effect, by_n = figure.subplots(2, 1) if stacked else figure.subplots(1, 2, sharey=True)
    for order, (names, one) in enumerate(planned_alike(tests)):
        colour, marker = group_colour(order), group_marker(order)
        label = shortened(f"{', '.join(names)}: {one.test}", 60)
        points = [(effect, power) for effect, power in effect_curve(one, wanted.power)]
        if points:
            by_effect.plot(*zip(*points, strict=True), color=colour, marker=marker, ms=4, lw=1.6, label=label)
        sizes = size_curve(one, wanted)
        by_n.plot(*zip(*sizes, strict=True), color=colour, marker=marker, ms=4, lw=1.6, label="" if points else label)
    by_effect.set_xlabel("effect, SDs (log odds for an odds ratio)")
    by_n.set_xlabel(
        f"n for an effect of {wanted.effect:g} SD" if wanted.points is None else f"n for {wanted.points:g} points"
    )
    by_n.set_xscale("log")
    by_n.set_xticks([5, 10, 20, 40, 80, 160], ["5", "10", "20", "40", "80", "160"])
    by_n.minorticks_off()
    for axes in (by_effect, by_n):
        axes.grid(axis="both")
        axes.set_ylim(0, 1.03)
        axes.axhline(wanted.power, color=INK, lw=1, ls=(0, (4, 3)))
        axes.tick_params(axis="y", labelcolor=MUTED)
    by_effect.set_ylabel("power")
    figure.legend(loc="outside upper left", ncols=1, fontsize=11.5)
    return figure


def _rows(tests: Sequence[PlannedTest], wanted: Wanted) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for names, one in planned_alike(tests):
        curve = [(one.n, effect, power) for effect, power in effect_curve(one, wanted.power)]
        curve += [(n, wanted.size(one), power) for n, power in size_curve(one, wanted)]
        for n, effect, power in curve:
            unit = wanted.unit_points(one)
            points = effect * unit if unit else None
            rows.append((" ".join(names), one.test, one.unit, n, one.effect, effect, points, one.alpha, power))
    return rows
