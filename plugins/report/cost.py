"""What the study used of its models: calls, tokens, time and money, stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cbtrun.plugins.report.inputs import ReportInput, StageCost
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import duration, number


def cost_table(given: ReportInput) -> Table | None:
    """One row a stage and model; none where no model was called. It differs from run to run, so no file is made of it."""
    stages = given.environment.stages
    columns = [one for one in COLUMNS if one.always or any(one.cell(stage) != NOTHING for stage in stages)]
    rows = []
    for at, one in enumerate(stages):
        cells = (one.stage, one.model, *(column.cell(one) for column in columns))
        rows.append(Row(cells, starts=at == 0 or stages[at - 1].stage != one.stage))
    names = ("Stage", "Model", *(one.name for one in columns))
    return Table("cost", "Calls, tokens and time", names, tuple(rows), 2) if rows else None


@dataclass(frozen=True)
class _Column:
    """What is told of each stage and model."""

    name: str
    cell: Callable[[StageCost], str]
    always: bool = True
    """Otherwise only where some stage has something to tell."""


NOTHING = number(None)
COLUMNS = (
    _Column("Calls", lambda one: f"{one.calls:,}"),
    _Column("In batches", lambda one: f"{one.batched:,}" if one.batched else NOTHING, always=False),
    _Column("Tokens in", lambda one: f"{one.tokens_in:,}"),
    _Column("From caches", lambda one: share(one.cached, one.tokens_in), always=False),
    _Column("Tokens out", lambda one: f"{one.tokens_out:,}"),
    _Column("Time", lambda one: duration(one.seconds)),
    _Column("US dollars", lambda one: number(one.usd, 2), always=False),
)


def share(part: int, whole: int) -> str:
    """A share in whole per cent; a dash where there is none."""
    return f"{part / whole:.0%}" if part and whole else NOTHING
