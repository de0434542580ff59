"""A fault of a plugin's in few words: whose, in which block, at which line; the whole traceback goes into the run folder."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from cbtrun.errors import CbtrunError
from cbtrun.files.run_folder import RunFolder, write_atomically
from cbtrun.keys.hiding import hide

FILE = "traceback.txt"
LONGEST = 400
"""Characters of a message that are shown."""


class Crash(CbtrunError):
    """Something raised what nobody expected: a plugin's bug, or ours."""

    exit_code = 1


def crash_of(error: Exception, folder: RunFolder) -> Crash:
    """What to tell of an error. Writes its traceback into the run folder; the last one's stands there."""
    whole = hide("".join(traceback.format_exception(error)))
    folder.path.mkdir(parents=True, exist_ok=True)
    write_atomically(folder.path / FILE, whole)
    at = _where(error)
    message = hide(str(error)).strip().splitlines() or [""]
    lines = [
        f"{at.filename}:{at.lineno}: {type(error).__name__}: {message[0][:LONGEST]}" if at else type(error).__name__,
        *([f"    {at.line}"] if at and at.line else []),
        *getattr(error, "__notes__", ())[:3],
        f"The whole traceback: {folder.path / FILE}",
        "What is done is kept; the same command goes on from here once this is mended.",
    ]
    return Crash("\n".join(lines))


def _where(error: Exception) -> traceback.FrameSummary | None:
    """The innermost line that is neither Python's, nor a library's, nor the engine's: where a plugin went wrong."""
    frames = traceback.extract_tb(error.__traceback__)
    engine = Path(__file__).resolve().parents[1]
    apart = (str(engine), sys.base_prefix, sys.prefix, "<")
    own = [one for one in frames if not one.filename.startswith(apart) and "site-packages" not in one.filename]
    shown = own or frames
    return shown[-1] if shown else None
