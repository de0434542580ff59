"""One picture for a slide: the question, the declared contrasts with n and interval, and the warning that goes with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugins.report.figure_style import INK, MUTED, PAPER, RULE, Plate, group_colour, save_figure
from cbtrun.plugins.report.first_forest import Forest, ForestRow, first_forest
from cbtrun.plugins.report.inputs import ReportInput, headline_comparison
from cbtrun.plugins.report.notices import notices
from cbtrun.plugins.report.plain_text import plain, shortened
from cbtrun.plugins.report.rehearsal import is_rehearsal, stamped_plate
from cbtrun.plugins.report.result_tables import caveats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 1200, 630
"""Pixels: what pages that show a link, and slides, have room for."""
EDGE, TRACK, TRACK_END = 60, 400, 760
"""Pixels: margin, and where the bars of the forest stand."""
MOST_ROWS, LINE = 5, 44
FIRST_ROW, LAST = 300, 590


def save_card(given: ReportInput, folder: Path) -> list[Path]:
    """card.svg and card.png."""
    plate = Plate("card", given.results.title, "The declared contrasts.", lambda _: draw_card(given))
    return save_figure(stamped_plate(plate) if is_rehearsal(given.study) else plate, folder, ("svg", "png"))


def draw_card(given: ReportInput) -> Figure:
    """The picture, at 72 dots an inch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), facecolor=PAPER)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    axes.axis("off")
    _words(axes, given.results.title, 44, 2, y=40, fontsize=36, weight="bold")
    headline = headline_comparison(given)
    said = headline.sentence if headline else given.results.question or "Nothing was compared."
    _words(axes, said.replace("`", ""), 100, 3, y=150, fontsize=19)
    if (forest := first_forest(given)) is not None:
        _draw_forest(axes, forest)
    axes.plot([EDGE, WIDTH - EDGE], [LAST - 62] * 2, color=RULE, lw=1.2)
    warned = " ".join([*(notices(given)[1:2] if given.embedded else []), *(f"{one}." for one in caveats(given)[:1])])
    _words(axes, warned, 128, 2, y=LAST - 52, fontsize=15, color=MUTED)
    axes.text(EDGE, HEIGHT - 14, "Research software, not a treatment · made with cbtrun", color=MUTED, fontsize=13)
    return figure


def _words(axes: Axes, text: str, letters: int, lines: int, *, y: float, **look: Any) -> None:
    """Text that is wrapped, and cut where it takes more lines."""
    import textwrap

    found = textwrap.wrap(plain(text), letters) or [""]
    if len(found) > lines:
        found = [*found[: lines - 1], shortened(" ".join(found[lines - 1 :]), letters)]
    axes.text(EDGE, y, "\n".join(found), va="top", linespacing=1.3, **{"color": INK, **look})


def _draw_forest(axes: Axes, forest: Forest) -> None:
    y = FIRST_ROW
    for x, head, side in ((TRACK_END + 210, "difference [interval]", "right"), (WIDTH - EDGE - 100, "n", "right"), (WIDTH - EDGE, "adjusted p" if forest.adjusted else "p", "right")):  # fmt: skip
        axes.text(x, y - 34, head, color=MUTED, fontsize=14, ha=side)
    room = MOST_ROWS
    for part in forest.parts:
        rows = part.rows[:room]
        room -= len(rows)
        if not rows:
            break
        axes.text(EDGE, y - 34, shortened(f"{part.title}{f', {part.scale}' if part.scale else ''}", 40), color=MUTED, fontsize=14)  # fmt: skip
        _draw_rows(axes, rows, y, part.zero)
        y += len(rows) * LINE
    left_out = forest.more + sum(len(part.rows) for part in forest.parts) - (MOST_ROWS - room)
    if left_out:
        axes.text(WIDTH - EDGE, LAST - 70, f"and {left_out} more in the report", color=MUTED, fontsize=14, ha="right")


def _draw_rows(axes: Axes, rows: Sequence[ForestRow], top: float, zero: float) -> None:
    at = _at(zero)
    axes.plot([at, at], [top - 18, top + (len(rows) - 1) * LINE + 18], color=MUTED, lw=1)
    for place, row in enumerate(rows):
        y = top + place * LINE
        weight = "bold" if row.strong else "normal"
        axes.text(EDGE, y, shortened(row.label, 34), va="center", color=INK, fontsize=18, weight=weight)
        if row.bar is not None:
            if row.bar.low is not None and row.bar.high is not None:
                axes.plot([_at(row.bar.low), _at(row.bar.high)], [y, y], color=group_colour(0), lw=4 if row.strong else 3)  # fmt: skip
            axes.scatter([_at(row.bar.dot)], [y], s=150 if row.strong else 90, color=group_colour(0), zorder=3)
        told = f"{row.estimate} {row.interval}"
        for x, words in ((TRACK_END + 210, told), (WIDTH - EDGE - 100, row.n), (WIDTH - EDGE, row.p)):
            axes.text(x, y, words, va="center", ha="right", color=INK, fontsize=18, weight=weight)


def _at(per_cent: float) -> float:
    return TRACK + (TRACK_END - TRACK) * per_cent / 100
