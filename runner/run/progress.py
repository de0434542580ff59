"""Shows how far a run is: a live line on a terminal, plain lines elsewhere. An observer like anyone's."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from cbtrun.files.plain_files import write_parts
from cbtrun.hookspecs import hookimpl
from cbtrun.keys.terminal import GuardedStream, visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.status import Status

    from cbtrun.contexts import StageNote

PLAIN_SECONDS, LIVE_SECONDS, FILE_SECONDS = 10.0, 0.1, 1.0
"""How often a stage in progress gives a plain line, is drawn over, and is written down for other processes."""


@dataclass
class PlainProgress:
    """One line when a stage starts to be slow, one when it ends."""

    out: TextIO
    running: Running = field(default_factory=lambda: Running())

    @hookimpl
    def stage_started(self, note: StageNote) -> None:
        """Begin to measure."""
        self.running.put(note)

    @hookimpl
    def stage_advanced(self, note: StageNote) -> None:
        """A line every ten seconds."""
        if self.running.put(note).is_due(PLAIN_SECONDS):
            self._say(self.running.line(note))

    @hookimpl
    def stage_finished(self, note: StageNote) -> None:
        """The stage's last line."""
        self._say(self.running.take(note))

    def _say(self, line: str) -> None:
        print(line, file=self.out, flush=True)


@dataclass
class LiveProgress:
    """A line for each stage in progress that is drawn over, and a plain one when a stage ends."""

    console: Console
    running: Running = field(default_factory=lambda: Running())
    status: Status | None = None

    @hookimpl
    def stage_started(self, note: StageNote) -> None:
        """Show the stage at once."""
        self.running.put(note)
        if self.status is None:
            self.status = self.console.status(self._text())
            self.status.start()

    @hookimpl
    def stage_advanced(self, note: StageNote) -> None:
        """Draw at most ten times a second."""
        if self.running.put(note).is_due(LIVE_SECONDS) and self.status is not None:
            self.status.update(self._text())

    @hookimpl
    def stage_finished(self, note: StageNote) -> None:
        """Leave one line."""
        line = self.running.take(note)
        if self.status is not None and not self.running.notes:
            self.status.stop()
            self.status = None
        self.console.print(visible(line), highlight=False, markup=False)

    def _text(self) -> RenderableType:
        """What is in progress, as text: no order to the terminal and no markup of the display's is read in it."""
        from rich.text import Text

        return Text(visible(self.running.lines()))


@dataclass
class Running:
    """The stages in progress: one, or jobs side by side."""

    notes: dict[str, StageNote] = field(default_factory=dict)
    """Stage -> the last note of it."""
    clocks: dict[str, Clock] = field(default_factory=dict)

    def put(self, note: StageNote) -> Clock:
        """Take a note; gives the stage's clock, which starts with its first one."""
        self.notes[note.stage] = note
        return self.clocks.setdefault(note.stage, Clock())

    def take(self, note: StageNote) -> str:
        """The last line of a stage, which is no longer in progress."""
        line = self.line(note)
        self.notes.pop(note.stage, None)
        self.clocks.pop(note.stage, None)
        return line

    def line(self, note: StageNote) -> str:
        """A stage's line."""
        clock = self.clocks.get(note.stage)
        return describe(note, clock.seconds() if clock else 0.0)

    def lines(self) -> str:
        """A line for each stage in progress."""
        return "\n".join(self.line(note) for note in self.notes.values())


class Clock:
    """When a stage started and was last shown, in seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._started = self._shown = time.monotonic()

    def seconds(self) -> float:
        """Since the stage began."""
        return time.monotonic() - self._started

    def is_due(self, seconds: float) -> bool:
        """Whether the stage was not shown for so long; it counts as shown then."""
        due = time.monotonic() - self._shown >= seconds
        if due:
            self._shown = time.monotonic()
        return due


@dataclass
class ProgressFile:
    """How far the stages in progress are, in a file of the run folder that `cbtrun status` of another process reads."""

    path: Path
    running: Running = field(default_factory=lambda: Running())

    def show(self, note: StageNote) -> None:
        """Write what is in progress, at most once a second; take the file away when nothing is."""
        if note.state != "running":
            self.running.take(note)
            if not self.running.notes:
                self.path.unlink(missing_ok=True)
            return
        clock = self.running.put(note)
        if note.done and (clock.is_due(FILE_SECONDS) or not self.path.exists()):
            write_parts(self.path, [self.running.lines().encode()], sync=False)


def progress_for(out: TextIO | None = None) -> PlainProgress | LiveProgress:
    """The display that fits where output goes: stderr by default."""
    stream = out or sys.stderr
    if not stream.isatty():
        return PlainProgress(stream)
    from rich.console import Console

    # The display draws with orders of its own, which standard error would show as text.
    drawn = cast(TextIO, stream.for_drawing()) if isinstance(stream, GuardedStream) else stream
    return LiveProgress(Console(file=drawn))


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
