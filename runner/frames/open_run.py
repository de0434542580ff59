"""A run from its folder, or the calls of one from an export: `cbtrun.load_run`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from cbtrun.cli.run_names import folder_of_run
from cbtrun.errors import StageError
from cbtrun.files.run_folder import RunFolder
from cbtrun.frames.calls_frame import call_rows, exported_rows
from cbtrun.frames.door import at_the_door
from cbtrun.frames.library import library_for
from cbtrun.frames.loaded_run import Run
from cbtrun.frames.results_frame import comparison_rows, group_rows
from cbtrun.frames.run_records import RunRecords
from cbtrun.frames.scores_frame import rating_rows, score_rows
from cbtrun.frames.sessions_frame import failure_rows, session_rows, turn_rows
from cbtrun.frames.training_frame import training_rows
from cbtrun.run.run_list import MARKS, is_run

if TYPE_CHECKING:
    import pandas
    import polars

EXPORTS = (".gz", ".xz")
"""How an export's name ends."""
OF_FOLDER = {
    "sessions": session_rows,
    "turns": turn_rows,
    "ratings": rating_rows,
    "scores": score_rows,
    "groups": group_rows,
    "comparisons": comparison_rows,
    "calls": call_rows,
    "failures": failure_rows,
    "training_steps": training_rows,
}
"""Frame -> its rows."""


@overload
def load_run(
    path: str | os.PathLike[str], *, runs: str | os.PathLike[str] = "runs", frames: Literal["pandas"] | None = None
) -> Run[pandas.DataFrame]: ...
@overload
def load_run(
    path: str | os.PathLike[str], *, runs: str | os.PathLike[str] = "runs", frames: Literal["polars"]
) -> Run[polars.DataFrame]: ...
def load_run(
    path: str | os.PathLike[str],
    *,
    runs: str | os.PathLike[str] = "runs",
    frames: Literal["pandas", "polars"] | None = None,
) -> Run[Any]:
    """A run with its data frames. Reads only; a run that is not finished, or is at work, gives what is there.

    path: a run's folder, the name of a study (looked up in `runs`), its file, or an export of a journal (.jsonl.gz,
    .jsonl.xz), which has `calls` alone. frames: the library, pandas if it is installed and else polars.
    Raises StageError for what is no run, or is not as cbtrun wrote it, PluginError where the library is not installed.
    """
    library = library_for(frames)
    file = Path(path)
    if file.suffix in EXPORTS and file.is_file():
        return Run(file, {"calls": partial(exported_rows, file.absolute())}, library)
    with at_the_door():
        try:
            folder = folder_of_run(str(path), Path(runs))
        except ValueError as error:
            raise StageError(str(error)) from None
        return run_in(folder, library)


def run_in(folder: Path, library: Literal["pandas", "polars"]) -> Run[Any]:
    """The run of a folder."""
    if not is_run(folder):
        raise StageError(f"{folder}: no run folder of cbtrun (there is none of {', '.join(MARKS)} in it)")
    records = RunRecords(RunFolder(folder.absolute()))  # found again from wherever its frames are looked at
    return Run(folder, {name: partial(rows, records) for name, rows in OF_FOLDER.items()}, library, records)
