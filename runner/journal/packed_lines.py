"""Lines of a file that is packed by gzip or xz: written so that the same lines give the same bytes, read within bounds.

Both pack a thousand to one, so that a few kilobytes could fill a disk; xz may ask for any amount of memory as well.
"""

from __future__ import annotations

import gzip
import io
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from cbtrun.files.plain_files import write_parts

LONGEST_LINE = 2**26
PACKED_AT_MOST, ALWAYS_READ = 100, 2**28
"""How many times its size a file may unpack to, and how many bytes whatever its size: replies pack five to twenty to one."""
PIECE = 2**20
"""Bytes that are packed or unpacked at once."""
XZ_START = b"\xfd7zXZ\x00"
WINDOW = 2**26
"""Bytes that xz looks back: what a rater quotes of a session was said far above."""
XZ_MEMORY = 2**27
"""Most that unpacking may take; a window of `WINDOW` takes half."""
XZ_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": WINDOW}]


def write_packed(target: Path, lines: Iterable[bytes]) -> None:
    """Write lines to a file, packed as its name says: by xz for `.xz`, which is half as long, else by gzip."""
    write_parts(target, _by_xz(lines) if target.suffix == ".xz" else _by_gzip(lines))


def _by_gzip(lines: Iterable[bytes]) -> Iterator[bytes]:
    out = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, out, mtime=0) as file:
        for line in lines:
            file.write(line)
            if out.tell() > PIECE:
                yield out.getvalue()
                out.seek(0)
                out.truncate()
    yield out.getvalue()


def _by_xz(lines: Iterable[bytes]) -> Iterator[bytes]:
    packer = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=XZ_FILTERS)
    yield from (packer.compress(line) for line in lines)
    yield packer.flush()


def unpacked_lines(source: Path) -> Iterator[bytes]:
    """The lines of a packed file. Raises ValueError where it unpacks to too much, and what its reader raises for a bad one."""
    room = max(ALWAYS_READ, PACKED_AT_MOST * source.stat().st_size)
    with source.open("rb") as raw:
        is_xz = raw.read(len(XZ_START)) == XZ_START
        raw.seek(0)
        file = io.BufferedReader(_Unxz(raw), PIECE) if is_xz else gzip.GzipFile(fileobj=raw)
        with file:
            while line := file.readline(min(LONGEST_LINE, room + 1)):
                room -= len(line)
                if room < 0 or len(line) == LONGEST_LINE:
                    raise ValueError("it unpacks to far more than replies do")
                yield line


class _Unxz(io.RawIOBase):
    """The content of one xz stream, with a bound on memory, which `lzma.open` has not."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the base takes any buffer
        """Fill a buffer. Returns how many bytes are in it: 0 at the end. Raises EOFError where the stream is cut off."""
        while not self._unpacker.eof:
            packed = self._packed.read(PIECE) if self._unpacker.needs_input else b""
            if self._unpacker.needs_input and not packed:
                raise EOFError("the file ends too early")
            if found := self._unpacker.decompress(packed, len(buffer)):
                buffer[: len(found)] = found
                return len(found)
        return 0
