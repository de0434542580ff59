"""Shows how far a run is: a live line on a terminal, plain lines elsewhere. An observer like anyone's."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cbtrun.hookspecs import hookimpl

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from cbtrun.context import StageNote

PLAIN_SECONDS = 10.0
"""How often a stage in progress gives a plain line."""


@dataclass
class PlainProgress:
    """One line when a stage starts to be slow, one when it ends."""

    out: TextIO
    clock: Clock = field(default_factory=lambda: Clock())

    @hookimpl
    def stage_started(self, note: StageNote) -> None:
        """Begin to measure."""
        self.clock.start()

    @hookimpl
    def stage_advanced(self, note: StageNote) -> None:
        """A line every ten seconds."""
        if self.clock.since_shown() >= PLAIN_SECONDS:
            self.clock.shown()
            self._say(note)

    @hookimpl
    def stage_finished(self, note: StageNote) -> None:
        """The stage's last line."""
        self._say(note)

    def _say(self, note: StageNote) -> None:
        print(describe(note, self.clock.seconds()), file=self.out, flush=True)


@dataclass
class LiveProgress:
    """A line that is drawn over, and a plain one when a stage ends."""

    console: Console
    clock: Clock = field(default_factory=lambda: Clock())
    status: Status | None = None

    @hookimpl
    def stage_started(self, note: StageNote) -> None:
        """Show the stage at once."""
        self.clock.start()
        self.status = self.console.status(describe(note, 0.0))
        self.status.start()

    @hookimpl
    def stage_advanced(self, note: StageNote) -> None:
        """Draw at most ten times a second."""
        if self.status is not None and self.clock.since_shown() >= 0.1:
            self.clock.shown()
            self.status.update(describe(note, self.clock.seconds()))

    @hookimpl
    def stage_finished(self, note: StageNote) -> None:
        """Leave one line."""
        if self.status is not None:
            self.status.stop()
            self.status = None
        self.console.print(describe(note, self.clock.seconds()), highlight=False, markup=False)


@dataclass
class Clock:
    """When a stage started and was last shown, in seconds of a monotonic clock."""

    started: float = 0.0
    last: float = 0.0

    def start(self) -> None:
        """Begin a stage."""
        self.started = self.last = time.monotonic()

    def shown(self) -> None:
        """The stage was just shown."""
        self.last = time.monotonic()

    def seconds(self) -> float:
        """Since the stage began; 0 before the first."""
        return time.monotonic() - self.started if self.started else 0.0

    def since_shown(self) -> float:
        """Since the stage was last shown."""
        return time.monotonic() - self.last


@dataclass
class ProgressFile:
    """How far the stage in progress is, in a file of the run folder that `cbtrun status` of another process reads."""

    path: Path
    clock: Clock = field(default_factory=lambda: Clock())

    def show(self, note: StageNote) -> None:
        """Write what is in progress, at most once a second; take the file away when it ends."""
        if note.state != "running":
            self.path.unlink(missing_ok=True)
        elif not note.done:
            self.clock.start()
        elif self.clock.since_shown() >= 1 or not self.path.exists():
            self.clock.shown()
            part = self.path.with_suffix(".part")
            part.write_text(describe(note, self.clock.seconds()), encoding="utf-8")
            part.replace(self.path)


def progress_for(out: TextIO | None = None) -> PlainProgress | LiveProgress:
    """The display that fits where output goes: stderr by default."""
    stream = out or sys.stderr
    if not stream.isatty():
        return PlainProgress(stream)
    from rich.console import Console

    return LiveProgress(Console(file=stream))


def describe(note: StageNote, seconds: float) -> str:
    """`ratings.ctrs   40/40  done  12 calls, 28 kept, 3.1 s` for any state of a stage."""
    if note.state == "up to date":
        return f"{note.stage:<24} up to date"
    units = f"{note.done}/{note.total}" if note.total else f"{note.done}" if note.done else ""
    parts = [note.detail] if note.detail else []
    if note.calls or note.replayed:
        parts.append(f"{note.calls:,} calls{_rate(note.calls, seconds)}" + _kept(note))
    if note.tokens:
        parts.append(f"{note.tokens:,} tokens{_rate(note.tokens, seconds)}")
    if note.usd:
        parts.append(f"${note.usd:,.2f}")
    if note.retries:
        parts.append(f"{note.retries:,} retries")
    parts.append(duration(seconds) + (_left(note, seconds) if note.state == "running" else ""))
    return f"{note.stage:<24} {units:>11}  {note.state:<10} {', '.join(parts)}"


def _kept(note: StageNote) -> str:
    return f", {note.replayed:,} kept" if note.replayed else ""


def _rate(count: int, seconds: float) -> str:
    """` (12.3/s)`; nothing in the first second, which says little."""
    return f" ({count / seconds:,.1f}/s)" if count and seconds >= 1 else ""


def _left(note: StageNote, seconds: float) -> str:
    """Time left; nothing before a tenth is done, since units that run side by side end late and together."""
    if not note.total or note.done < note.total / 10 or seconds < 1:
        return ""
    return f", {duration((note.total - note.done) * seconds / note.done)} left"


def duration(seconds: float) -> str:
    """`0.4 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
