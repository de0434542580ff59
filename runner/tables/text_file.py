"""The text of a stranger's file: unpacked within a bound, in the encoding that it has or that the study names."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path

from cbtrun.errors import SpecError

MOST_BYTES = 2**30
"""Largest file, unpacked: a few bytes of gzip can stand for terabytes."""
PACKED_AT_MOST, ALWAYS_READ = 100, 2**27
"""How many times its size a packed file may unpack to, and how many bytes whatever its size. Talk packs five to one."""
MOST_ROWS = 2_000_000
"""Of a table: each row takes some 500 bytes of memory."""
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NO_TEXT = {"unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined", "mbcs", "oem"}
"""Codecs that are no encoding of a file."""


def text_of(path: Path, encoding: str = "") -> str:
    """A file's text. encoding: empty for UTF-8, UTF-16 or UTF-32 as its first bytes tell.

    Raises SpecError for a file that is too large, and for bytes that the encoding has not. The 8-bit encodings cannot be told
    from each other, so that none of them is taken unless the study names it.
    """
    content = _unpacked(path)
    name = encoding or _told_by(content)
    try:
        if (found := codecs.lookup(name)).name in NO_TEXT or not found._is_text_encoding:
            raise LookupError
        return content.decode(name)
    except LookupError:
        raise SpecError.at(path, f"unknown encoding '{name}'; known are e.g. utf-8, utf-16, windows-1252") from None
    except UnicodeError as error:
        reason, at = getattr(error, "reason", str(error)), getattr(error, "start", 0)
        if encoding:
            raise SpecError.at(path, f"not {encoding}: {reason} at byte {at}") from None
        hint = "Files of Excel in Western Europe are windows-1252: say `encoding: windows-1252`, or the one it has"
        line = content.count(b"\n", 0, at) + 1
        raise SpecError.at(path, f"not UTF-8: {reason} at byte {at}. {hint}", line=line) from None


def _told_by(content: bytes) -> str:
    for mark, name in MARKS:
        if content.startswith(mark):
            return name
    head = content[:200]
    if len(head) > 3 and head[1::2].count(0) > len(head) // 3:
        return "utf-16-le"
    if len(head) > 3 and head[::2].count(0) > len(head) // 3:
        return "utf-16-be"
    return "utf-8"


def _unpacked(path: Path) -> bytes:
    try:
        if path.suffix.lower() != ".gz":
            size = path.stat().st_size
            content = path.read_bytes() if size <= MOST_BYTES else None
        else:
            most = most_unpacked(path)
            with gzip.open(path) as file:
                content = file.read(most + 1)
            if len(content) > most:
                content = None
    except (OSError, EOFError, zlib.error) as error:
        raise SpecError.at(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if content is None:
        most = MOST_BYTES if path.suffix.lower() != ".gz" else most_unpacked(path)
        raise SpecError.at(path, f"holds more than {most // 2**20:,} MiB; split it, or write it as Parquet")
    return content


def most_unpacked(path: Path) -> int:
    """Bytes that a packed file may unpack to, by its size."""
    return min(MOST_BYTES, max(ALWAYS_READ, PACKED_AT_MOST * path.stat().st_size))
