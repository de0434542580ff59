"""What a reader is given: a file, or a member of an archive that was unpacked in memory. And its bytes, within a bound."""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cbtrun.errors import SpecError

MOST_BYTES = 2**30
"""Largest file, unpacked: a few bytes of gzip can stand for terabytes."""
PACKED_AT_MOST, ALWAYS_READ = 100, 2**27
"""How many times its size a packed file may unpack to, and how many bytes whatever its size. Talk packs five to one."""


@dataclass(frozen=True)
class Member:
    """A file inside an archive. It is called like a path, so that a reader need not ask which of both it has."""

    archive: Path
    inside: PurePosixPath
    content: bytes

    def __str__(self) -> str:
        return f"{self.archive}/{self.inside}"

    @property
    def name(self) -> str:
        """Its last part, with the ending."""
        return self.inside.name

    @property
    def stem(self) -> str:
        """Its last part, without the ending."""
        return self.inside.stem

    @property
    def suffix(self) -> str:
        """Its ending."""
        return self.inside.suffix

    @property
    def suffixes(self) -> list[str]:
        """All its endings: `.jsonl`, `.gz`."""
        return self.inside.suffixes


Source = Path | Member


def ending(source: Source) -> str:
    """The ending that tells a file's format: `.jsonl` for t.jsonl.gz."""
    endings = [one.lower() for one in source.suffixes]
    if endings[-1:] == [".gz"]:
        return endings[-2] if len(endings) > 1 else ""
    return endings[-1] if endings else ""


def bytes_of(source: Source) -> bytes:
    """A file's content, out of gzip where its name ends so. Raises SpecError where it is too large or cannot be read."""
    packed = source.suffix.lower() == ".gz"
    try:
        most = most_unpacked(source) if packed else MOST_BYTES
        content = _unpacked(source, most) if packed else _plain(source)
    except (OSError, EOFError, zlib.error) as error:
        raise SpecError.at(str(source), f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if content is None or len(content) > most:
        raise SpecError.at(str(source), f"holds more than {most // 2**20:,} MiB; split it, or write it as Parquet")
    return content


def most_unpacked(source: Source) -> int:
    """Bytes that a packed file may unpack to, by its size."""
    size = len(source.content) if isinstance(source, Member) else source.stat().st_size
    return min(MOST_BYTES, max(ALWAYS_READ, PACKED_AT_MOST * size))


def _unpacked(source: Source, most: int) -> bytes:
    with gzip.open(io.BytesIO(source.content) if isinstance(source, Member) else source) as file:
        return file.read(most + 1)


def _plain(source: Source) -> bytes | None:
    if isinstance(source, Member):
        return source.content
    return source.read_bytes() if source.stat().st_size <= MOST_BYTES else None
