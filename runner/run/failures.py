"""Every unit that could not be finished, as a file of the run folder: the terminal and the report tell them by kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cbtrun.contract.records import Failure
from cbtrun.files.run_folder import RunFolder, read_records, write_records

if TYPE_CHECKING:
    from pathlib import Path

FILE = "failures.jsonl"


def write_failures(folder: RunFolder, failures: Sequence[Failure]) -> Path | None:
    """Write every failure as a line of JSON; gives the file. No failure, no file."""
    path = folder.path / FILE
    if not failures:
        path.unlink(missing_ok=True)
        return None
    write_records(path, failures)
    return path


def failures_of(folder: RunFolder) -> list[Failure]:
    """The failures of the last run of a folder."""
    path = folder.path / FILE
    return read_records(path, Failure) if path.exists() else []
