"""How far a run is, as people see it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import cbtrun.contexts as stage_context
from cbtrun.contexts import StageContext, StageNote
from cbtrun.run.progress import describe


def test_a_stage_whose_units_take_long_still_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int | None]] = []
    monkeypatch.setattr(stage_context, "TELL_SECONDS", 0.001)
    nothing: Any = None
    context = StageContext(
        stage="sessions", name="", options={}, study={}, seed=1, folder=nothing, inputs=nothing, models=nothing,
        tell=lambda *note: told.append(note[:2]),
    )  # fmt: skip

    async def work(unit: int) -> int:
        while len(told) < 3:
            await asyncio.sleep(0.001)
        return unit

    assert context.run(context.each([1, 2], work)) == [1, 2]
    assert told[:3] == [(0, 2)] * 3
    assert told[-1] == (2, 2)


def test_time_left_is_not_said_before_a_tenth_is_done() -> None:
    assert "left" not in describe(StageNote("sessions", "running", 1, 80), 60.0)
    assert "3 min 0 s left" in describe(StageNote("sessions", "running", 20, 80), 60.0)


def test_a_line_names_units_calls_rates_and_what_was_kept() -> None:
    note = StageNote("ratings.ctrs", "running", 40, 80, "", calls=20, replayed=20, tokens=4000, usd=1.5, retries=2)
    line = describe(note, 10.0)
    assert line.split(None, 1)[0] == "ratings.ctrs"
    for part in ("40/80", "20 calls (2.0/s), 20 kept", "4,000 tokens (400.0/s)", "$1.50", "2 retries", "10.0 s left"):
        assert part in line
