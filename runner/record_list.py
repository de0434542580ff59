"""Records kept as their JSON lines and read one at a time: a study of thousands of sessions fits into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar, cast, overload

from cbtrun.records import Record

R = TypeVar("R", bound=Record)


class RecordList(Sequence[R], Generic[R]):
    """A sequence of records of one kind. Each look makes the record anew: keep what is needed of it, not the record.

    A session of 20 turns takes 3 KB as a line and 15 KB as an object.
    """

    def __init__(self, kind: type[R], lines: Sequence[bytes]) -> None:
        """lines: JSON of each record, without a line break."""
        self.kind = kind
        self.lines = lines

    @classmethod
    def of(cls, kind: type[R], records: Iterable[R]) -> RecordList[R]:
        """The records, packed."""
        return cls(kind, [line_of(record) for record in records])

    @classmethod
    def read(cls, path: Path, kind: type[R]) -> RecordList[R]:
        """The records of a JSON-lines file."""
        with path.open("rb") as file:
            return cls(kind, [line.rstrip(b"\r\n") for line in file if line.strip()])

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> RecordList[R]: ...
    def __getitem__(self, index: int | slice) -> R | RecordList[R]:
        if isinstance(index, slice):
            return RecordList(self.kind, self.lines[index])
        return self.kind.model_validate_json(self.lines[index])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list's

    def __iter__(self) -> Iterator[R]:
        return map(self.kind.model_validate_json, self.lines)


def line_of(record: Record) -> bytes:
    """A record as one JSON line, without its line break."""
    return record.model_dump_json().encode()


def lines_of(records: Iterable[Record]) -> Iterator[bytes]:
    """The JSON line of each record; a RecordList has them at hand."""
    if isinstance(records, RecordList):
        return iter(cast("RecordList[Record]", records).lines)
    return map(line_of, records)
