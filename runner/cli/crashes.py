"""A fault of a plugin's in few words: whose, in which block, at which line; the whole traceback goes into a file.

The file lies in the run folder; where a command has none, among the system's temporary files.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path

from cbtrun.errors import CbtrunError
from cbtrun.files.run_folder import RunFolder, write_atomically
from cbtrun.keys.hiding import hide
from cbtrun.registry import GROUP, LOCAL

FILE = "traceback.txt"
LONGEST = 400
"""Characters of a message that are shown."""


class Crash(CbtrunError):
    """Something raised what nobody expected: a plugin's bug, or ours."""

    exit_code = 1


def crash_of(error: Exception, folder: RunFolder | None = None) -> Crash:
    """What to tell of an error. Writes its traceback into the run folder, where there is one; the last one's stands there."""
    frames = traceback.extract_tb(error.__traceback__)
    places = plugin_places()
    frame, owner = _where(frames, places)
    message = hide(str(error)).strip().splitlines() or [""]
    notes = [*getattr(error, "__notes__", ())][:3]
    if owner and not any(f"`{owner}`" in note for note in notes):
        notes.append(f"raised in the plugin `{owner}`")
    lines = [
        f"{frame.filename}:{frame.lineno}: {type(error).__name__}: {message[0][:LONGEST]}"
        if frame
        else type(error).__name__,
        *([f"    {frame.line}"] if frame and frame.line else []),
        *notes,
        f"The whole traceback: {_written(error, folder)}",
        *(
            ["What is done is kept; the same command goes on from here once this is mended."]
            if folder is not None
            else []
        ),
    ]
    return Crash("\n".join(lines))


def is_of_a_plugin(error: Exception) -> bool:
    """Whether the code of a plugin that is not ours was running when an error was raised."""
    return bool(_where(traceback.extract_tb(error.__traceback__), plugin_places())[1])


def cause_line(error: CbtrunError) -> str:
    """Where the traceback lies of what made a plugin fail to load; empty for any other error of the user's."""
    cause = error.__cause__
    if not isinstance(cause, Exception) or isinstance(cause, CbtrunError) or "cannot be loaded" not in str(error):
        return ""
    return f"The whole traceback: {_written(cause, None)}"


def plugin_places() -> Mapping[str, str]:
    """File or folder of each plugin that is not ours and is loaded -> its name: of the study's own, and of packages."""
    return dict(_plugin_places())


def _plugin_places() -> Iterator[tuple[str, str]]:
    for name, module in [*sys.modules.items()]:
        if name.startswith(LOCAL) and (file := getattr(module, "__file__", None)):
            yield str(file), name.removeprefix(LOCAL).replace("_", "-")
    for point in entry_points(group=GROUP):
        file = getattr(sys.modules.get(point.module), "__file__", None)
        if file and not point.module.startswith("cbtrun."):
            inside = "." in point.module or Path(file).name == "__init__.py"
            yield f"{Path(file).parent}{os.sep}" if inside else str(file), point.name


def _where(frames: traceback.StackSummary, places: Mapping[str, str]) -> tuple[traceback.FrameSummary | None, str]:
    """The innermost line of a plugin that is not ours, with its name; else the innermost that is no library's."""
    for frame in reversed(frames):
        if owner := next((name for place, name in places.items() if frame.filename.startswith(place)), ""):
            return frame, owner
    engine = Path(__file__).resolve().parents[1]
    apart = (str(engine), sys.base_prefix, sys.prefix, "<")
    own = [one for one in frames if not one.filename.startswith(apart) and "site-packages" not in one.filename]
    shown = own or frames
    return (shown[-1] if shown else None), ""


def _written(error: Exception, folder: RunFolder | None) -> Path:
    """The file that the whole traceback was written to."""
    whole = hide("".join(traceback.format_exception(error)))
    if folder is not None:
        folder.path.mkdir(parents=True, exist_ok=True)
        write_atomically(folder.path / FILE, whole)
        return folder.path / FILE
    number, name = tempfile.mkstemp(prefix="cbtrun-traceback-", suffix=".txt")  # nobody else may read it
    with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(whole)
    return Path(name)
