"""The stages in progress, with their clocks; and the file in which `cbtrun status` of another process finds them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cbtrun.contexts import StageNote
from cbtrun.files.plain_files import write_parts
from cbtrun.run.progress_line import stage_line

FILE_SECONDS = 1.0
"""How often what is in progress is written down for other processes."""
LONGEST_FILE = 2**18
"""Bytes of it that are read."""


class Clock:
    """When a stage started and was last shown and told of, in seconds of a monotonic clock."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._started = self._shown = self._told = now()

    def seconds(self) -> float:
        """Since the stage began."""
        return self._now() - self._started

    def since_told(self) -> float:
        """Since the stage last told how far it is."""
        return self._now() - self._told

    def told(self) -> None:
        """Note that it did."""
        self._told = self._now()

    def is_due(self, seconds: float) -> bool:
        """Whether the stage was not shown for so long; it counts as shown then."""
        due = self._now() - self._shown >= seconds
        if due:
            self._shown = self._now()
        return due


@dataclass
class Running:
    """The stages in progress: one, or jobs side by side. Several threads may look at it."""

    notes: dict[str, StageNote] = field(default_factory=dict)
    """Stage -> the last note of it."""
    clocks: dict[str, Clock] = field(default_factory=dict)
    now: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, note: StageNote) -> Clock:
        """Take a note; gives the stage's clock, which starts with its first one."""
        with self._lock:
            clock = self.clocks.setdefault(note.stage, Clock(self.now))
            self.notes[note.stage] = note
            clock.told()
            return clock

    def take(self, note: StageNote, width: int | None = None) -> str:
        """The last line of a stage, which is no longer in progress."""
        line = self.line(note, width)
        with self._lock:
            self.notes.pop(note.stage, None)
            self.clocks.pop(note.stage, None)
        return line

    def line(self, note: StageNote, width: int | None = None) -> str:
        """A stage's line, now."""
        clock = self.clocks.get(note.stage)
        if clock is None:
            return stage_line(note, 0.0, note.left, width)
        return stage_line(note, clock.seconds(), self._left(note, clock), width)

    def lines(self, width: int | None = None) -> list[str]:
        """A line for each stage in progress, now."""
        with self._lock:
            notes = list(self.notes.values())
        return [self.line(note, width) for note in notes]

    def due(self, seconds: float) -> list[str]:
        """The lines of stages that were not shown for so long."""
        with self._lock:
            notes = [note for note in self.notes.values() if self.clocks[note.stage].is_due(seconds)]
        return [self.line(note) for note in notes]

    @property
    def to_come(self) -> tuple[str, ...]:
        """The stages that were not looked at yet."""
        with self._lock:
            last = next(reversed(self.notes.values()), None)
            return tuple(one for one in last.to_come if one not in self.notes) if last else ()

    @staticmethod
    def _left(note: StageNote, clock: Clock) -> float | None:
        """What the note says, and the time since is gone."""
        return None if note.left is None else max(0.0, note.left - clock.since_told())

    def now_told(self) -> list[dict[str, Any]]:
        """Every note with its seconds so far and to go, as values."""
        with self._lock:
            pairs = [(note, self.clocks[note.stage]) for note in self.notes.values()]
        return [{**asdict(note), "seconds": clock.seconds(), "left": self._left(note, clock)} for note, clock in pairs]


@dataclass
class ProgressFile:
    """How far the stages in progress are, in a file of the run folder that `cbtrun status` of another process reads."""

    path: Path
    running: Running = field(default_factory=Running)

    def show(self, note: StageNote) -> None:
        """Write what is in progress, at most once a second; take the file away when nothing is."""
        if note.state != "running":
            self.running.take(note)
            if not self.running.notes:
                self.path.unlink(missing_ok=True)
                return
            self._write()
            return
        if self.running.put(note).is_due(FILE_SECONDS) or not self.path.exists():
            self._write()

    def _write(self) -> None:
        told = {"at": time.time(), "stages": self.running.now_told(), "to_come": self.running.to_come}
        write_parts(self.path, [json.dumps(told, sort_keys=True).encode()], sync=False)


@dataclass(frozen=True)
class InProgress:
    """What another process told of its stages."""

    notes: tuple[StageNote, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Stage -> seconds it has taken until now."""
    left: Mapping[str, float] = field(default_factory=dict)
    """Stage -> seconds to go from now; a stage that nobody can say it of is not in it."""
    to_come: tuple[str, ...] = ()


def in_progress(path: Path, now: float) -> InProgress:
    """What is in progress, now (seconds since 1970); nothing where the file is not there or says nothing of use."""
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(LONGEST_FILE))
        ago = max(0.0, now - float(told["at"]))
        notes = {one["stage"]: _note(one) for one in told["stages"]}
        return InProgress(
            tuple(notes.values()),
            {one["stage"]: float(one["seconds"]) + ago for one in told["stages"]},
            {one["stage"]: max(0.0, float(one["left"]) - ago) for one in told["stages"] if one["left"] is not None},
            tuple(map(str, told["to_come"])),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return InProgress()


def _note(told: Mapping[str, Any]) -> StageNote:
    """A note that a file holds; the file may be anybody's."""
    values: dict[str, Any] = {name: str(told[name]) for name in ("stage", "state", "detail", "counted")}
    values |= {name: int(told[name]) for name in ("done", "calls", "replayed", "tokens", "retries")}
    total = None if told["total"] is None else int(told["total"])
    return StageNote(**values, total=total, usd=float(told["usd"]))
