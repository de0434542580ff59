"""What the study used of its models: calls, tokens, time and money, stage by stage."""

from __future__ import annotations

from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.tables import Row, Table
from cbtrun.plugins.report.wording import duration, number


def cost_table(given: ReportInput) -> Table | None:
    """One row a stage and model; none where no model was called. It differs from run to run, so no file is made of it."""
    stages = given.environment.stages
    priced = any(one.usd for one in stages)
    rows = []
    for at, one in enumerate(stages):
        counts = (f"{count:,}" for count in (one.calls, one.tokens_in, one.tokens_out))
        cells = (one.stage, one.model, *counts, duration(one.seconds), *([number(one.usd, 2)] if priced else []))
        rows.append(Row(cells, starts=at == 0 or stages[at - 1].stage != one.stage))
    columns = ("Stage", "Model", "Calls", "Tokens in", "Tokens out", "Time", *(["US dollars"] if priced else []))
    return Table("cost", "Calls, tokens and time", columns, tuple(rows), 2) if rows else None
