"""Training curves: what the logs of tune jobs say, and their figures."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from cbtrun.plugins.report.figure_style import MUTED, NARROW, Plate, group_colour
from cbtrun.plugins.report.inputs import ReportInput, TrainingPoint
from cbtrun.plugins.report.plain_text import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILES: Mapping[str, Sequence[str]] = {
    "training-log.jsonl": ("loss", "held_out_loss", "learning_rate"),
    "speed.jsonl": ("tokens_per_second",),
}
"""File beside an adapter -> what is read from it."""
CAPTION = (
    "Loss by step, the mean over seeds (dashed: on held-out transcripts); the learning rate; and real tokens a second, "
    "padding none, on the machine that trained."
)


def training_log(folder: Path) -> tuple[TrainingPoint, ...]:
    """The steps of a tune job, each a mean over its seeds; empty where there is no log."""
    found: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for file, names in FILES.items():
        for log in sorted(folder.rglob(file)):
            entries = {entry.get("step", at): entry for at, entry in enumerate(_lines(log), start=1)}
            for step, entry in entries.items():  # a step that was done again, after a stop, counts once
                for name in names:
                    if isinstance(entry.get(name), (int, float)):
                        found[int(step)][name].append(entry[name])
    return tuple(
        TrainingPoint(step, **{name: fmean(values) for name, values in found[step].items()}) for step in sorted(found)
    )


def training_plates(given: ReportInput) -> Iterator[Plate]:
    """The curves, where models were tuned."""
    jobs = {job: points for job, points in given.training.items() if points}
    if jobs:
        yield Plate("training", "Training curves", CAPTION, partial(draw_training, jobs))


def draw_training(jobs: Mapping[str, Sequence[TrainingPoint]], width: int) -> Figure:
    """Loss, learning rate and speed against step, one below the other, one colour a tune job."""
    from matplotlib.figure import Figure

    rows = [
        name
        for name in ("learning_rate", "tokens_per_second")
        if any(getattr(point, name) is not None for points in jobs.values() for point in points)
    ]
    figure = Figure(figsize=(width / 72, (300 + 110 * len(rows)) / 72))
    loss, *others = figure.subplots(
        1 + len(rows), 1, sharex=True, height_ratios=[2.2, *[1] * len(rows)], squeeze=False
    )[:, 0]
    for order, (job, points) in enumerate(jobs.items()):
        name = shortened(job, 24)
        loss.plot(*_line(points, "loss"), "-", color=group_colour(order), lw=1.8, label=name)
        steps, values = _line(points, "held_out_loss")
        if steps:
            loss.plot(steps, values, "--", color=group_colour(order), lw=1.8, label=f"{name}, held out")
        for axes, row in zip(others, rows, strict=True):
            axes.plot(*_line(points, row), "-", color=group_colour(order), lw=1.4)
    for axes, what in zip(
        (loss, *others), ("loss, nats per token", *(row.replace("_", " ") for row in rows)), strict=True
    ):
        axes.grid(axis="both")
        axes.set_ylabel(what.replace("tokens per second", "tokens/s"))
        axes.tick_params(axis="y", labelcolor=MUTED)
    for axes in others:
        axes.set_ylim(bottom=0)
    (loss, *others)[-1].set_xlabel("optimiser step")
    figure.legend(loc="outside upper left", ncols=1 if width <= NARROW else 3, fontsize=11.5)
    return figure


def _lines(log: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def _line(points: Sequence[TrainingPoint], name: str) -> tuple[list[int], list[float]]:
    known = [(point.step, getattr(point, name)) for point in points if getattr(point, name) is not None]
    return [step for step, _ in known], [value for _, value in known]
