"""Rows of the frames of sessions, their turns, and what failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cbtrun.contract.labels import ARM
from cbtrun.frames.run_records import RunRecords
from cbtrun.run.tombstones import FORGOTTEN

Row = dict[str, Any]


def session_rows(run: RunRecords) -> Iterator[Row]:
    """A row a session that was held, then one for each unit that failed."""
    for one in run.sessions():
        yield {
            "session": one.id,
            "state": FORGOTTEN if one.ended == FORGOTTEN else "held",
            "arm": one.arm,
            "arm_label": _arm_label(run, one.arm),
            "persona": one.persona,
            "repeat": one.repeat,
            "number": one.number,
            "turns": len(one.turns),
            "ended": one.ended,
            "flags": one.flags,
            "draw": one.draw,
            **{f"factor.{name}": level for name, level in one.factors.items()},
            **{f"measure.{name}": value for name, value in one.measures.items()},
            **{f"label.{name}": value for name, value in one.labels.items()},
        }
    yield from (_failed(run, one.unit, one.reason) for one in run.failures if one.stage == "sessions")


def _failed(run: RunRecords, unit: str, reason: str) -> Row:
    """A unit that failed: the name of a whole arm, or of a course, in which arm and persona stand."""
    parts = unit.split("/")
    named = parts[0].partition("@")[0]
    arm = named if named in run.study.arms else None
    return {
        "session": unit if unit and unit not in run.study.arms else None,
        "state": "failed",
        "reason": reason,
        "arm": arm,
        "arm_label": _arm_label(run, arm),
        "persona": next((part for part in parts[1:] if part in run.persona_ids), None),
        **{f"factor.{name}": level for name, level in (run.study.arms[arm].factors if arm else {}).items()},
    }


def _arm_label(run: RunRecords, arm: str | None) -> str | None:
    return None if arm is None else run.labels.level(ARM, arm)


def turn_rows(run: RunRecords) -> Iterator[Row]:
    """A row a turn, session by session."""
    for one in run.sessions():
        for number, turn in enumerate(one.turns, start=1):
            yield {"session": one.id, "turn": number, "speaker": turn.speaker, "text": turn.text}


def failure_rows(run: RunRecords) -> Iterator[Row]:
    """A row a unit that could not be finished."""
    return ({"stage": one.stage, "unit": one.unit or None, "reason": one.reason} for one in run.failures)
