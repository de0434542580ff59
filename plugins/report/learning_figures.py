"""Curves of a training by reinforcement: reward and witnesses on one scale, their gap, and what became of the policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cbtrun.plugin import REWARD, ScoreMean, StepPoint
from cbtrun.plugins.report.figure_style import INK, MUTED, NARROW, group_colour, group_marker
from cbtrun.plugins.report.plain_text import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES: Mapping[str, str] = {
    "kl": "KL, nats a token",
    "tokens": "tokens a session",
    "entropy": "entropy, nats",
    "repetition": "said again, share",
    "vetoed": "vetoed, share",
}
"""Attribute of a StepPoint -> its axis."""
DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1)))


def draw_scores(points: Sequence[StepPoint], names: Sequence[str], ended: Mapping[int, str], width: int) -> Figure:
    """Reward and witnesses in SDs from the start above, the gaps below. ended: step -> which seeds a stop ended there."""
    from matplotlib.figure import Figure

    gaps = [name for name in names if any(name in point.gaps for point in points)]
    figure = Figure(figsize=(width / 72, (300 + 130 * bool(gaps)) / 72))
    rows = figure.subplots(1 + bool(gaps), 1, sharex=True, height_ratios=[2.2, 1][: 1 + bool(gaps)], squeeze=False)
    scores = rows[0, 0]
    for order, name in enumerate(names):
        _line(scores, points, [point.standard.get(name) for point in points], order, shortened(_title(name), 26))
    scores.set_ylabel("SDs from the start")
    if gaps:
        for name in gaps:
            order = names.index(name)
            _line(rows[1, 0], points, [point.gaps.get(name) for point in points], order, "")
        rows[1, 0].set_ylabel("reward − witness" if width > NARROW else "gap")
    for axes in rows[:, 0]:
        axes.grid(axis="both")
        axes.axhline(0, color=MUTED, lw=0.8)
        axes.tick_params(axis="y", labelcolor=MUTED)
        for step in ended:
            axes.axvline(step, color=INK, lw=1, ls=(0, (2, 2)))
    for step, who in ended.items():
        scores.annotate(
            f"ended {who}".strip(), (step, 1), xycoords=("data", "axes fraction"), xytext=(-4, -2),
            textcoords="offset points", ha="right", va="top", fontsize=11, color=INK,
        )  # fmt: skip
    _steps_axis(rows[-1, 0])
    figure.legend(loc="outside upper left", ncols=1 if width <= NARROW else 3, fontsize=11.5)
    return figure


def draw_policy(points: Sequence[StepPoint], measures: Sequence[str], width: int) -> Figure:
    """One small row for each measure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, (40 + 95 * len(measures)) / 72))
    rows = figure.subplots(len(measures), 1, sharex=True, squeeze=False)[:, 0]
    for order, (axes, measure) in enumerate(zip(rows, measures, strict=True)):
        known = [(point.middle, getattr(point, measure)) for point in points if getattr(point, measure) is not None]
        axes.plot(*zip(*known, strict=True), color=group_colour(0), marker=group_marker(0), ms=3.5, lw=1.5)
        axes.grid(axis="both")
        axes.set_ylim(bottom=0)
        axes.set_title(MEASURES[measure], loc="left", fontsize=11.5, color=MUTED, pad=3)
        axes.tick_params(axis="y", labelcolor=MUTED)
        if order == len(measures) - 1:
            _steps_axis(axes)
    return figure


def _line(axes: Axes, points: Sequence[StepPoint], means: Sequence[ScoreMean | None], order: int, label: str) -> None:
    known = [(point.middle, mean) for point, mean in zip(points, means, strict=True) if mean is not None]
    if not known:
        return
    at = [place for place, _ in known]
    low = [mean.value - mean.interval.low if mean.interval else 0 for _, mean in known]
    high = [mean.interval.high - mean.value if mean.interval else 0 for _, mean in known]
    axes.errorbar(
        at,
        [mean.value for _, mean in known],
        yerr=[low, high],
        color=group_colour(order),
        marker=group_marker(order),
        ls=DASHES[order % len(DASHES)],
        ms=4.5,
        lw=1.8,
        elinewidth=0.9,
        capsize=2,
        label=label or None,
    )


def _title(name: str) -> str:
    return "reward" if name == REWARD else f"witness {name}"


def _steps_axis(axes: Axes) -> None:
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("step")
