"""The figures of a report: each function draws one, at a width in pixels, from plain values."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from cbtrun.plugin import Interval, level_text, scale_words
from cbtrun.plugins.report.figure_style import INK, MUTED, NARROW, PAPER, RULE, group_colour, group_marker
from cbtrun.plugins.report.plain_text import plain, shortened, wrapped
from cbtrun.plugins.report.wording import difference_decimals, has_levels, interval, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Dots:
    """One group's sessions on one outcome."""

    level: str
    sessions: tuple[str, ...]
    """Session ids, beside their values."""
    values: tuple[float, ...]
    mean: float | None
    interval: Interval | None
    colour: int = 0
    """Position of the group's colour."""
    link: str | None = None
    """Of the group's mean, to its sessions."""


def draw_groups(
    groups: Sequence[Dots],
    unit: str,
    width: int,
    *,
    scale: tuple[float | None, float | None],
    threshold: float | None = None,
) -> Figure:
    """Every session a dot, one row a group, with the group's mean and interval below its dots."""
    figure, axes = _canvas(width, height=78 * len(groups) + 56)
    for row, group in enumerate(groups):
        colour = group_colour(group.colour)
        lift = _swarm(group.values, row_points=30 if len(group.values) > 60 else 22, width=width)
        dots = axes.scatter(
            group.values,
            [row + 0.06 - step for step in lift],
            s=16 if len(group.values) > 150 else 26,
            marker=group_marker(group.colour),
            color=colour,
            alpha=0.75,
            linewidths=0,
        )
        dots.set_urls([f"#session={quote(plain(session))}" for session in group.sessions])
        _mean_bar(axes, group, row + 0.2, colour)
    _threshold_line(axes, threshold, len(groups))
    _rows(axes, [_row_label(group, width) for group in groups], [group.link for group in groups])
    axes.set_xlabel(unit)
    _limits(axes, scale)
    return figure


def draw_pairs(
    pairs: Sequence[tuple[float, float]],
    levels: tuple[str, str],
    unit: str,
    width: int,
    *,
    colours: tuple[int, int],
    links: Sequence[str | None] = (),
) -> Figure:
    """One line a pair: the same persona under two levels, rises and falls told apart. links: of the pairs."""
    figure, axes = _canvas(min(width, 520), height=330)
    axes.grid(axis="y")
    axes.grid(visible=False, axis="x")
    for place, (first, second) in enumerate(pairs):
        rising = first > second
        axes.plot(
            [0, 1],
            [second, first],
            color=INK if rising else MUTED,
            lw=1.1 if rising else 1,
            ls="-" if rising else (0, (3, 2)),
            alpha=0.45,
            url=links[place] if links else None,
        )
    for at, side in enumerate((1, 0)):
        values = [pair[side] for pair in pairs]
        dots = axes.scatter(
            [at] * len(values),
            values,
            s=26,
            color=group_colour(colours[side]),
            marker=group_marker(colours[side]),
            zorder=3,
            linewidths=0,
        )
        dots.set_urls([*links] or [None])
        axes.plot(
            [at - 0.07, at + 0.07], [sum(values) / len(values)] * 2, color=INK, lw=3, zorder=4, solid_capstyle="round"
        )
    axes.set_xticks([0, 1], [shortened(levels[1], 24), shortened(levels[0], 24)])
    axes.tick_params(axis="x", labelcolor=INK)
    axes.tick_params(axis="y", labelcolor=MUTED)
    axes.set_xlim(-0.35, 1.35)
    axes.set_ylabel(unit)
    return figure


@dataclass(frozen=True)
class Contrast:
    """One row of a forest plot."""

    label: str
    estimate: float | None
    interval: Interval | None
    n: int
    strong: bool = False
    """Drawn heavier: the headline."""
    heading: str = ""
    """What this row and the next ones belong to, where that begins here."""
    link: str | None = None
    """To the sessions behind it."""


def draw_forest(rows: Sequence[Contrast], unit: str, width: int, *, decimals: int = 1) -> Figure:
    """Estimates with their intervals around a line of no difference; the numbers stand at the right, or under the label.

    Where intervals have several levels, each says its own.
    """
    levelled = has_levels(row.interval for row in rows)
    narrow = width <= NARROW
    lines: list[Contrast | str] = []
    for row in rows:
        lines += [row.heading, row] if row.heading else [row]
    figure, axes = _canvas(width, height=(52 if narrow else 32) * len(lines) + 62)
    axes.axvline(0, color=MUTED, lw=1.2)
    labels = []
    for at, line in enumerate(lines):
        if isinstance(line, str):
            labels.append(shortened(line, 30 if narrow else 48))
            continue
        shown = difference_decimals(line.estimate, decimals)
        told = f"{number(line.estimate, shown)} {interval(line.interval, shown)}"
        told += f" ({level_text(line.interval)})" if levelled and line.interval else ""
        labels.append(f"{wrapped(line.label, 24)}\n{told}" if narrow else shortened(line.label, 48))
        _forest_row(axes, line, at)
        if not narrow:
            words, place = f"{told} · n {line.n}", ("axes fraction", "data")
            axes.annotate(words, (1.02, at), xycoords=place, va="center", fontsize=11.5, color=INK, url=line.link)
    _rows(axes, labels, [None if isinstance(line, str) else line.link for line in lines])
    for label, line in zip(axes.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if isinstance(line, str) else "normal")
    axes.set_xlabel(unit)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0) - 0.02 * (high - low), max(high, 0) + 0.02 * (high - low))
    return figure


def _forest_row(axes: Axes, row: Contrast, at: int) -> None:
    """One estimate: a dot, and a bar for its interval."""
    if row.estimate is None:
        return
    colour = group_colour(0)
    if row.interval:
        ends = [row.interval.low, row.interval.high]
        axes.plot(ends, [at, at], color=colour, lw=3 if row.strong else 1.8, solid_capstyle="round", url=row.link)
    size = 72 if row.strong else 40
    dot = axes.scatter([row.estimate], [at], s=size, color=colour, edgecolors=PAPER, linewidths=1.2, zorder=3)
    dot.set_urls([row.link])


@dataclass(frozen=True)
class Profile:
    """One group's mean on every item."""

    level: str
    means: tuple[float | None, ...]
    intervals: tuple[Interval | None, ...]
    links: tuple[str, ...]
    """To the sessions behind each mean."""


def draw_profile(
    items: Sequence[str],
    profiles: Sequence[Profile],
    norms: Sequence[float | None],
    scale: tuple[float | None, float | None],
    width: int,
) -> Figure:
    """One row an item, one mark a group with its interval; a grey line where human therapists stood."""
    figure, axes = _canvas(width, height=max(40, 17 * len(profiles) + 12) * len(items) + 84)
    spread = 0.62 / max(1, len(profiles))
    for at, norm in enumerate(norms):
        if norm is not None:
            axes.plot(
                [norm, norm],
                [at - 0.38, at + 0.38],
                color=MUTED,
                lw=5,
                alpha=0.35,
                solid_capstyle="butt",
            )
    for order, profile in enumerate(profiles):
        offset = (order - (len(profiles) - 1) / 2) * spread
        for at, (mean, span) in enumerate(zip(profile.means, profile.intervals, strict=True)):
            if span:
                axes.plot([span.low, span.high], [at + offset] * 2, color=group_colour(order), lw=1.8, alpha=0.75)
            if mean is not None:
                mark = axes.scatter(
                    [mean],
                    [at + offset],
                    s=34,
                    color=group_colour(order),
                    marker=group_marker(order),
                    zorder=3,
                    linewidths=0,
                )
                mark.set_urls([profile.links[at]])
        axes.scatter(
            [], [], s=34, color=group_colour(order), marker=group_marker(order), label=shortened(profile.level, 22)
        )
    if any(norm is not None for norm in norms):
        axes.plot([], [], color=MUTED, lw=5, alpha=0.35, solid_capstyle="butt", label="human norm")
    _rows(axes, [wrapped(item, 23) if width <= NARROW else shortened(item, 44) for item in items])
    _limits(axes, scale)
    axes.set_xlabel(f"points {scale_words(scale)}".rstrip())
    if len(profiles) > 1 or any(norm is not None for norm in norms):
        figure.legend(
            loc="outside upper left",
            ncols=2 if width <= NARROW else 5,
            fontsize=11.5,
            handletextpad=0.4,
            columnspacing=1.6,
        )
    return figure


def draw_length(groups: Sequence[tuple[Dots, tuple[int, ...]]], unit: str, width: int) -> Figure:
    """Value against the number of turns, every session a dot."""
    figure, axes = _canvas(width, height=320)
    axes.grid(axis="both")
    for dots, turns in groups:
        marks = axes.scatter(
            turns,
            dots.values,
            s=24,
            color=group_colour(dots.colour),
            marker=group_marker(dots.colour),
            alpha=0.75,
            linewidths=0,
            label=shortened(dots.level, 22),
        )
        marks.set_urls([f"#session={quote(plain(session))}" for session in dots.sessions])
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("turns")
    axes.set_ylabel(unit)
    axes.tick_params(axis="y", labelcolor=MUTED)
    if len(groups) > 1:
        figure.legend(loc="outside upper left", ncols=2 if width <= NARROW else 5, fontsize=11.5, handletextpad=0.3)
    return figure


def _canvas(width: int, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.add_subplot()
    return figure, axes


def _swarm(values: Sequence[float], row_points: float, width: int) -> list[float]:
    """How far each dot is lifted above its row, 0 to about 0.5: dots of like value are stacked, then jittered."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    step = (high - low) / (width / 7) or 1.0
    stacked: dict[int, int] = {}
    heights = []
    for value in values:
        column = round((value - low) / step)
        heights.append(stacked.get(column, 0))
        stacked[column] = heights[-1] + 1
    tallest = max([5, *stacked.values()])
    jitter = random.Random(int.from_bytes(hashlib.sha256(repr(values).encode()).digest()[:8]))
    return [height / tallest * row_points / 60 + jitter.uniform(-0.006, 0.006) for height in heights]


def _mean_bar(axes: Axes, group: Dots, height: float, colour: str) -> None:
    if group.interval:
        axes.plot(
            [group.interval.low, group.interval.high],
            [height, height],
            color=colour,
            lw=3,
            solid_capstyle="round",
            url=group.link,
        )
    if group.mean is not None:
        mark = axes.scatter([group.mean], [height], s=80, color=colour, edgecolors=PAPER, linewidths=1.5, zorder=4)
        mark.set_urls([group.link])
        axes.annotate(
            number(group.mean),
            (group.mean, height),
            xytext=(0, -9),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=11.5,
            color=INK,
            url=group.link,
        )


def _threshold_line(axes: Axes, threshold: float | None, rows: int) -> None:
    if threshold is None:
        return
    axes.axvline(threshold, color=MUTED, lw=1.2, ls=(0, (4, 3)))
    axes.annotate(f" competence {threshold:g}", (threshold, -0.46), fontsize=11, color=MUTED, va="center")


def _row_label(group: Dots, width: int) -> str:
    return f"{shortened(group.level, 18 if width <= NARROW else 28)}\nn = {len(group.values)}"


def _rows(axes: Axes, labels: Sequence[str], links: Sequence[str | None] = ()) -> None:
    """Rows from the top, labelled, with no axis line of their own. links: of the labels."""
    axes.set_yticks(range(len(labels)), labels)
    for label, link in zip(axes.get_yticklabels(), links, strict=False):
        label.set_url(link or "")
    axes.set_ylim(len(labels) - 0.45, -0.55) if labels else None
    axes.spines["bottom"].set_color(RULE)


def _limits(axes: Axes, scale: tuple[float | None, float | None]) -> None:
    """The rubric's whole scale where it has one: a difference is seen in its true size."""
    low, high = axes.get_xlim()
    least = low if scale[0] is None else scale[0]
    most = high if scale[1] is None else scale[1]
    pad = 0.015 * (most - least or 1)
    axes.set_xlim(least - pad, most + pad)
