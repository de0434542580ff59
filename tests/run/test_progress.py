"""How far a run is, as people see it."""

from __future__ import annotations

import asyncio
import io
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cbtrun.contexts as stage_context
from cbtrun.contexts import StageContext, StageNote
from cbtrun.run.progress import LiveProgress, PlainProgress
from cbtrun.run.progress_line import short, stage_line, to_come_line
from cbtrun.run.running import InProgress, ProgressFile, Running, in_progress


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


def test_a_stage_of_turns_counts_them_from_the_first_on() -> None:
    told: list[tuple[int, int | None, str]] = []
    nothing: Any = None
    context = StageContext(
        stage="sessions", name="", options={}, study={}, seed=1, folder=nothing, inputs=nothing, models=nothing,
        tell=lambda done, total, _: told.append((done, total, context.pace.counted if context.pace else "")),
    )  # fmt: skip

    async def hold(turns: int) -> int:
        context.begin()
        for _ in range(turns):
            await asyncio.sleep(0)
            context.step()
        return turns

    assert context.run(context.each([4, 2, 4], hold, steps=4, counted="turns")) == [4, 2, 4]
    assert told[0] == (0, 12, "turns")
    assert told[-1] == (10, 10, "turns")  # the second ended before its last
    assert any(0 < done < 10 for done, _, _ in told)


def note(state: str = "running", **told: Any) -> StageNote:
    given = {"done": 40, "total": 80, "calls": 20, "replayed": 20, "tokens": 40_000, "usd": 1.5, "retries": 1, **told}
    return StageNote("ratings.ctrs", state, **given)


def test_a_line_names_units_time_calls_rates_and_what_was_kept() -> None:
    line = stage_line(note(), 10.0, 9.7)
    assert line.split(None, 1)[0] == "ratings.ctrs"
    for part in (
        "40/80",
        "50%",
        "10 s, 9 s left",
        "20 calls (2.0/s), 20 kept",
        "40k tokens (4,000/s)",
        "$1.50",
        "1 retry",
    ):
        assert part in line


@pytest.mark.parametrize("width", [40, 60, 80, 100, 132])
@pytest.mark.parametrize("state", ["running", "done", "up to date", "stopped"])
def test_a_line_is_never_as_wide_as_the_terminal(width: int, state: str) -> None:
    long = replace(note(state, done=123_456, total=1_234_567), stage="ratings.a-set-with-a-very-long-name-indeed")
    line = stage_line(long, 36_000.0, 36_000.0, width)
    assert len(line) < width
    assert line.startswith("ratings")


def test_eighty_columns_hold_turns_share_time_and_time_left() -> None:
    line = stage_line(replace(note(done=12_345, total=24_000, counted="turns"), stage="sessions"), 754.0, 719.0, 80)
    assert " ".join(line.split()) == "sessions 12,345/24,000 turns 51% 12:34, 11:59 left"
    assert stage_line(replace(note(), stage="tune.a"), 7504.0).count("2:05:04") == 1


def test_the_first_columns_stand_in_one_place_whatever_the_stage_is_called() -> None:
    names = ("sessions", "ratings.a-set-with-a-very-long-name-indeed")
    lines = [stage_line(replace(note("done"), stage=name), 1.0, None, 80) for name in names]
    assert len({line.index("done") for line in lines}) == 1


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0"), (9_999, "9,999"), (44_013.5, "44k"), (999_700, "1.0M"), (1_240_000, "1.2M"), (3e9, "3.0G")]
)  # fmt: skip
def test_figures_are_short(number: float, told: str) -> None:
    assert short(number) == told


def test_stages_to_come_are_named_as_far_as_there_is_room() -> None:
    stages = ("sessions", "ratings.ctrs", "analysis.main", "results", "report")
    assert to_come_line(stages) == "to come: sessions, ratings.ctrs, analysis.main, results, report"
    assert to_come_line(stages, 40) == "to come: sessions and 4 more"
    assert to_come_line(()) == ""


def test_a_plain_clock_goes_on_while_nobody_tells_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    shown = PlainProgress(out)
    monkeypatch.setattr(shown.running, "now", iter(float(second) for second in range(0, 10_000, 7)).__next__)
    shown.stage_started(StageNote("tune.cbt", "running", to_come=("sessions",)))
    for _ in range(4):  # as the thread does, once a second
        shown._say_due()
    shown.close()
    lines = out.getvalue().splitlines()
    assert lines[0] == "tune.cbt begins; to come: sessions"
    assert len(lines) > 2
    assert all("running" in line for line in lines[1:])


def test_time_left_runs_down_between_two_notes() -> None:
    now = 100.0
    running = Running(now=lambda: now)
    running.put(StageNote("sessions", "running", 5, 10, left=30.0))
    now = 110.0
    assert "20 s left" in running.lines()[0]
    now = 200.0
    assert "0 s left" in running.lines()[0]


def test_another_process_reads_what_is_in_progress(tmp_path: Path) -> None:
    path = tmp_path / "running.json"
    shown = ProgressFile(path)
    shown.show(
        StageNote("sessions", "running", 5, 40, counted="turns", calls=5, left=30.0, to_come=("results", "report"))
    )
    read = in_progress(path, time.time() + 10)
    (sessions,) = read.notes
    assert (sessions.done, sessions.total, sessions.counted) == (5, 40, "turns")
    assert 10 <= read.seconds["sessions"] < 20
    assert 15 < read.left["sessions"] <= 20
    assert read.to_come == ("results", "report")


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"at": 1, "stages": [{}], "to_come": []}', "[" * 5000, '{"at": "x"}']
)
def test_a_progress_file_that_says_nothing_of_use_is_nothing_in_progress(tmp_path: Path, text: str) -> None:
    (tmp_path / "running.json").write_text(text)
    assert in_progress(tmp_path / "running.json", 0.0) == InProgress()


class Screen(io.StringIO):
    """A terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_the_live_display_is_taken_away_when_a_run_is_interrupted() -> None:
    from rich.console import Console

    screen = Screen()
    shown = LiveProgress(Console(file=screen, force_terminal=True, width=80, height=24))
    shown.stage_started(StageNote("sessions", "running", 1, 40, counted="turns", to_come=("results", "report")))
    shown.close()
    assert "1/40 turns" in screen.getvalue()
    assert "to come: results, report" in screen.getvalue()
    before_the_end, _, end = screen.getvalue().rpartition("\x1b[2K")
    assert before_the_end
    assert "sessions" not in end
    assert end.count("\n") == 0
    shown.close()


def test_what_was_left_out_stands_below_its_stage() -> None:
    from rich.console import Console

    screen = Screen()
    shown = LiveProgress(Console(file=screen, width=60))
    shown.stage_finished(
        StageNote("corpus.a", "done", 3, 3, "no text in the row: 12, skipped speakers: 1,204 of them, and more")
    )
    lines = screen.getvalue().splitlines()
    assert lines[0].startswith("corpus.a")
    assert [line[:2] for line in lines[1:]] == ["  "] * (len(lines) - 1)
    assert max(map(len, lines)) < 60
    assert "1,204" in screen.getvalue()
