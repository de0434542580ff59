"""Records kept as their JSON lines and read one at a time: a study of thousands of sessions fits into memory.

A file of records may have been edited, cut off, or written by anybody: a line that is no such record is told with its place.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar, cast, overload

from pydantic import ValidationError

from cbtrun.contract.records import Record
from cbtrun.errors import StageError

R = TypeVar("R", bound=Record)
LONGEST_LINE = 2**26
"""Bytes of one record: a session of a thousand long turns takes one hundredth."""


class FileLines(Sequence[bytes]):
    """The lines of a file that have something in them, without their breaks. They stay on the disk."""

    def __init__(self, path: Path) -> None:
        """The file as it is now: once it is written again, this is of no use any more."""
        self._path = path
        self._starts = array("q")  # bytes from the start of the file
        start = 0
        for line in bounded_lines(path):
            if line.strip():
                self._starts.append(start)
            start += len(line)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return self._at(range(len(self))[index])
        with self._path.open("rb") as file:
            file.seek(self._starts[index])
            return file.readline().rstrip(b"\r\n")

    def _at(self, places: Iterable[int]) -> list[bytes]:
        """The lines at these places, the file opened once."""
        found = []
        with self._path.open("rb") as file:
            for at in places:
                file.seek(self._starts[at])
                found.append(file.readline().rstrip(b"\r\n"))
        return found

    def __iter__(self) -> Iterator[bytes]:
        return (line.rstrip(b"\r\n") for line in bounded_lines(self._path) if line.strip())

    def place(self, at: int) -> str:
        """File and line of the record at a place, for messages."""
        with self._path.open("rb") as file:
            return f"{self._path}:{file.read(self._starts[at]).count(10) + 1}"


class PackedLines(Sequence[bytes]):
    """Lines that wait in memory, each compressed by itself: words take a third of their room."""

    def __init__(self, packed: Sequence[bytes]) -> None:
        """packed: each as `packed_line` gives it."""
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> PackedLines: ...
    def __getitem__(self, index: int | slice) -> bytes | PackedLines:
        if isinstance(index, slice):
            return PackedLines(self._packed[index])
        return zlib.decompress(self._packed[index])


class RecordList(Sequence[R], Generic[R]):
    """A sequence of records of one kind. Each look makes the record anew: keep what is needed of it, not the record.

    A session of 20 turns takes 15 KB as an object, 3 KB as a line, 1 KB packed, and 8 bytes as a line of a file.
    """

    def __init__(self, kind: type[R], lines: Sequence[bytes]) -> None:
        """lines: JSON of each record, without a line break."""
        self.kind = kind
        self.lines = lines

    @classmethod
    def of(cls, kind: type[R], records: Iterable[R]) -> RecordList[R]:
        """The records, packed."""
        return cls.unpack(kind, [packed_line(record) for record in records])

    @classmethod
    def unpack(cls, kind: type[R], packed: Sequence[bytes]) -> RecordList[R]:
        """The records that `packed_line` packed."""
        return cls(kind, PackedLines(packed))

    @classmethod
    def read(cls, path: Path, kind: type[R]) -> RecordList[R]:
        """The records of a JSON-lines file, which must stay as it is for as long as they are looked at."""
        return cls(kind, FileLines(path))

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> RecordList[R]: ...
    def __getitem__(self, index: int | slice) -> R | RecordList[R]:
        if isinstance(index, slice):
            return RecordList(self.kind, self.lines[index])
        return self._record(self.lines[index], index)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list's

    def __iter__(self) -> Iterator[R]:
        return (self._record(line, at) for at, line in enumerate(self.lines))

    def _record(self, line: bytes, at: int) -> R:
        try:
            return self.kind.model_validate_json(line)
        except ValidationError as error:
            if not isinstance(self.lines, FileLines):
                raise
            raise not_as_written(self.lines.place(at % len(self.lines)), error) from None


def bounded_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file with their breaks. Raises StageError for one that is too long to be a record."""
    with path.open("rb") as file:
        yield from _bounded(file, path)


def _bounded(file: BinaryIO, path: Path) -> Iterator[bytes]:
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise StageError(f"{path}:{number}: a line of over {LONGEST_LINE // 2**20} MiB, which cbtrun did not write")
        yield line


def not_as_written(place: object, error: ValidationError) -> StageError:
    """What to tell of a file of a run folder that holds something else than cbtrun writes there. Shows no words of it."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    at = ".".join(map(str, first["loc"]))[:80]
    what = f"{at}: {first['msg'][:200]}" if at else first["msg"][:200]
    return StageError(
        f"{place}: not as cbtrun wrote it ({what}). It was changed or damaged, or is of another version; put back a sound "
        "copy, or take the file away and run the study again: kept replies are not asked for again"
    )


def line_of(record: Record) -> bytes:
    """A record as one JSON line, without its line break."""
    return record.model_dump_json().encode()


def packed_line(record: Record) -> bytes:
    """A record's line, compressed, for thousands that wait until the last is there."""
    return zlib.compress(line_of(record), 1)


def lines_of(records: Iterable[Record]) -> Iterator[bytes]:
    """The JSON line of each record; a RecordList has them at hand."""
    if isinstance(records, RecordList):
        return iter(cast("RecordList[Record]", records).lines)
    return map(line_of, records)
