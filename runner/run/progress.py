"""Shows how far a run is: live lines on a terminal, plain lines elsewhere. An observer like anyone's.

The clock goes on by itself, also while a stage imports libraries or waits for another process.
"""

from __future__ import annotations

import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO, cast

from cbtrun.hookspecs import hookimpl
from cbtrun.keys.terminal import GuardedStream, visible
from cbtrun.run.progress_line import duration, to_come_line
from cbtrun.run.running import ProgressFile, Running

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

    from cbtrun.contexts import StageNote

__all__ = ["LiveProgress", "PlainProgress", "ProgressFile", "Running", "Silent", "duration", "progress_for"]

PLAIN_SECONDS, LIVE_SECONDS = 10.0, 0.25
"""How often a stage in progress gives a plain line, and is drawn over."""


class Silent:
    """Shows nothing: for `--quiet`."""

    def close(self) -> None:
        """Nothing is shown."""


@dataclass
class PlainProgress:
    """What is to come first; then a line every ten seconds, and one when a stage ends."""

    out: TextIO
    running: Running = field(default_factory=Running)
    _began: bool = False
    _ended: threading.Event = field(default_factory=threading.Event)

    @hookimpl
    def stage_started(self, note: StageNote) -> None:
        """Begin to measure."""
        self._begin(note)
        self.running.put(note)

    @hookimpl
    def stage_advanced(self, note: StageNote) -> None:
        """A line every ten seconds."""
        self.running.put(note)
        self._say_due()

    @hookimpl
    def stage_finished(self, note: StageNote) -> None:
        """The stage's last line, with what was left out."""
        detail = f", {note.detail}" if note.detail else ""
        self._say(self.running.take(note) + detail)

    def close(self) -> None:
        """Show nothing more."""
        self._ended.set()

    def _begin(self, note: StageNote) -> None:
        """At the first stage that has something to do: what is to come, and a clock of its own."""
        if self._began:
            return
        self._began = True
        if note.to_come:
            self._say(f"{note.stage} begins; {to_come_line(note.to_come)}")
        threading.Thread(target=self._go_on, daemon=True).start()

    def _go_on(self) -> None:
        while not self._ended.wait(1.0):
            self._say_due()

    def _say_due(self) -> None:
        for line in self.running.due(PLAIN_SECONDS):
            self._say(line)

    def _say(self, line: str) -> None:
        print(line, file=self.out, flush=True)


@dataclass
class LiveProgress:
    """A line for each stage in progress, drawn over and over, and a plain one when a stage ends."""

    console: Console
    running: Running = field(default_factory=Running)
    live: Live | None = None

    @hookimpl
    def stage_started(self, note: StageNote) -> None:
        """Show the stage at once."""
        self.running.put(note)
        if self.live is None:
            from rich.live import Live

            self.live = Live(
                _Lines(self.running), console=self.console, refresh_per_second=1 / LIVE_SECONDS, transient=True
            )
            self.live.start(refresh=True)

    @hookimpl
    def stage_advanced(self, note: StageNote) -> None:
        """The display looks by itself."""
        self.running.put(note)

    @hookimpl
    def stage_finished(self, note: StageNote) -> None:
        """Leave one line, and below it what was left out."""
        width = self.console.width
        lines = [self.running.take(note, width)]
        if note.detail:
            lines += textwrap.wrap(
                visible(note.detail), max(20, width - 1), initial_indent="  ", subsequent_indent="  "
            )
        if not self.running.notes:
            self.close()
        for line in lines:
            self.console.print(visible(line), highlight=False, markup=False, overflow="crop", no_wrap=True)

    def close(self) -> None:
        """Take the display away: what is written next begins on a line of its own."""
        if self.live is not None:
            self.live.stop()
            self.live = None


@dataclass
class _Lines:
    """What is in progress, each time it is drawn: as wide as the terminal is then."""

    running: Running
    drawn: list[int] = field(default_factory=list)
    """Columns of the lines that stand on the terminal."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As text: no order to the terminal and no markup of the display's is read in it."""
        from rich.segment import ControlType, Segment
        from rich.text import Text

        # A terminal that became narrower has wrapped what stands there: the display begins so many lines further up.
        if wrapped := sum((columns - 1) // options.max_width for columns in self.drawn):
            yield Segment(f"\x1b[{wrapped}A\r\x1b[J", None, ((ControlType.CURSOR_UP, wrapped),))
        lines = [visible(line) for line in self._lines(options.max_width)]
        self.drawn = [len(line) for line in lines]
        for number, line in enumerate(lines):
            yield Text(line, no_wrap=True, overflow="crop", style="" if number else "bold")

    def _lines(self, width: int) -> Iterator[str]:
        wheel = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[int(time.monotonic() * 8) % 10]
        for line in self.running.lines(width - 2):
            yield f"{wheel} {line}"
        if line := to_come_line(self.running.to_come, width - 2):
            yield f"  {line}"


def progress_for(out: TextIO | None = None, *, quiet: bool = False) -> PlainProgress | LiveProgress | Silent:
    """The display that fits where output goes: stderr by default."""
    if quiet:
        return Silent()
    stream = out or sys.stderr
    if not stream.isatty():
        return PlainProgress(stream)
    from rich.console import Console

    # The display draws with orders of its own, which standard error would show as text.
    drawn = cast(TextIO, stream.for_drawing()) if isinstance(stream, GuardedStream) else stream
    return LiveProgress(Console(file=drawn))
