"""`run.log` of the run folder: each stage with its time, warnings, and every failure in full. The terminal groups and caps."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.errors import CbtrunError
from cbtrun.files.plain_files import open_plain
from cbtrun.keys.hiding import hide
from cbtrun.keys.terminal import visible
from cbtrun.run.progress_line import duration

if TYPE_CHECKING:
    from cbtrun.contexts import StageNote
    from cbtrun.contract.records import Failure

MOST_BYTES = 2**24
"""Of the file: what is longer begins anew at the next run, and the one before stays as `run.log.1`."""


class RunLog:
    """Lines with their time, appended run by run. A log that cannot be written ends nothing."""

    def __init__(self, folder: Path) -> None:
        """The log of a run folder that this process holds."""
        self._path = folder / "run.log"
        with suppress(OSError):
            if self._path.exists() and self._path.stat().st_size > MOST_BYTES:
                self._path.replace(folder / "run.log.1")

    def say(self, text: str) -> None:
        """A line; further lines of a text are indented below it."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        first, *more = visible(hide(text)).split("\n") if text else [""]
        lines = [f"{now} {first}", *(f"    {line}" for line in more)]
        with suppress(OSError, CbtrunError):
            opened = open_plain(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            with os.fdopen(opened, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write("".join(f"{line}\n" for line in lines))

    def note(self, note: StageNote, seconds: float) -> None:
        """A stage that begins or ends."""
        if note.state == "running":
            self.say(f"{note.stage}: begins")
            return
        figures = [f"{note.done:,} records" if note.done else "", duration(seconds) if seconds else ""]
        if note.calls or note.replayed:
            figures.append(
                f"{note.calls:,} calls, {note.replayed:,} kept, {note.tokens:,} tokens, {note.retries:,} retries"
            )
        if note.usd:
            figures.append(f"${note.usd:,.4f}")
        told = ", ".join(one for one in (*figures, note.detail) if one)
        self.say(f"{note.stage}: {note.state}{f' ({told})' if told else ''}")

    def failures(self, failures: Sequence[Failure]) -> None:
        """Every unit that could not be finished, in full."""
        for one in failures:
            self.say(f"failed: {one.stage}{f' {one.unit}' if one.unit else ''}: {one.reason}")

    def ended(self, error: BaseException) -> None:
        """What ended a run before its end: in full where it is a fault of a plugin's, or ours."""
        if isinstance(error, KeyboardInterrupt):
            self.say("interrupted")
        elif isinstance(error, CbtrunError):
            self.say(f"ended: {error}")
        else:
            self.say("ended: " + "".join(traceback.format_exception(error)).rstrip())
