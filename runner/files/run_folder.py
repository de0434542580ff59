"""The run folder: where a study's files live, one process at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from cbtrun.contract.records import Record
from cbtrun.errors import StageError, StopRun
from cbtrun.files.folder_hold import Hold, Holder, holder_of
from cbtrun.files.plain_files import inside, refuse_strange_files, remove_parts, write_parts
from cbtrun.files.record_list import bounded_lines, lines_of, not_as_written

R = TypeVar("R", bound=Record)
REPORT_FILES = "report.files"
"""The list of what the report wrote."""
MOST_LISTED = 2**20


class RunFolder:
    """`runs/<study>`: paths of its files and safe ways to write them."""

    def __init__(self, path: Path) -> None:
        """A folder that need not be there yet. Raises StageError when anything in it is no plain file or folder."""
        if os.path.lexists(path) and not path.is_dir():
            raise StageError(
                f"{path}: is not a folder, and this study's run folder would stand there; move it, or give the study "
                "another name (--set study=NAME)"
            )
        refuse_strange_files(path)
        self.path = path
        self._hold: Hold | None = None

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.path / "journal.sqlite"

    @property
    def lock_file(self) -> Path:
        """What ran: the resolved spec, hashes, versions and hardware."""
        return self.path / "study.lock.yaml"

    @property
    def results(self) -> Path:
        """The results, as data."""
        return self.path / "results.json"

    @property
    def progress(self) -> Path:
        """How far the stage in progress is, while one is."""
        return self.path / "running.json"

    def report_files(self) -> list[Path] | None:
        """The files of the report as its stage listed them, its page first; none where there is no list.

        Raises StageError for a list that is none, and for a path in it that leads out of the folder.
        """
        try:
            with (self.path / REPORT_FILES).open("rb") as file:
                names = file.read(MOST_LISTED).decode().splitlines()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise StageError(
                f"{self.path / REPORT_FILES}: no list of files; take it away and run the study again"
            ) from None
        return [inside(self.path, name) for name in names]

    @contextmanager
    def locked(self, tell: Callable[[str], None] = lambda _: None) -> Iterator[None]:
        """Hold the folder for this process. tell: hears of a wait, where a driver elsewhere may or may not be at work.

        Raises StageError when another cbtrun holds it, or when the disk knows no locks.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._hold = Hold(self.path, tell)
        try:
            remove_parts(self.path)
            yield
        except KeyboardInterrupt:
            self._hold.check()  # a hold that is lost interrupts whatever goes on: that is what is to be told
            raise
        finally:
            self._hold.release()
            self._hold = None

    def check_hold(self) -> None:
        """Raises StopRun when the folder at its path is no longer the one that this process holds, or is another's by now."""
        if self._hold is not None:
            self._hold.check()

    def check_lease(self) -> None:
        """Raises StopRun when another process has taken over the folder that this one held; looks now, before a commit."""
        if self._hold is not None:
            self._hold.check_lease()

    def is_held(self) -> bool:
        """Whether what is written at its path goes into the folder that this process holds."""
        try:
            self.check_hold()
        except StopRun:
            return False
        return True

    def held_by(self) -> Holder | None:
        """The cbtrun that is running in this folder, or none. One that is silent held it when last heard of."""
        return holder_of(self.path)


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file or nothing: a reader never sees half of it, also after a kill."""
    write_lines_atomically(path, [text.encode()])


def write_lines_atomically(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts of a file, one after the other, as `write_atomically` does."""
    write_parts(path, parts)


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write records as JSON lines, atomically."""
    write_lines_atomically(path, (line + b"\n" for line in lines_of(records)))


def read_records(path: Path, kind: type[R]) -> list[R]:
    """Records of a JSON-lines file. Raises StageError with the line that is no such record."""
    adapter = TypeAdapter(kind)
    found = []
    for number, line in enumerate(bounded_lines(path), start=1):
        if line.strip():
            try:
                found.append(adapter.validate_json(line))
            except ValidationError as error:
                raise not_as_written(f"{path}:{number}", error) from None
    return found


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON with sorted keys, atomically; the same value gives the same bytes."""
    write_atomically(path, json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def newest(paths: Sequence[Path]) -> Path | None:
    """The path that was written last, or none."""
    there = [path for path in paths if path.exists()]
    return max(there, key=lambda path: path.stat().st_mtime, default=None)
