"""What a file is by its first bytes, where that is no text and no table: a picture under another ending, nothing but zeros."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path

from cbtrun.errors import SpecError
from cbtrun.tables.formats import READERS
from cbtrun.tables.source import ending

LOOKED_AT = 2**16
"""Bytes that are looked at."""
ZEROS = bytes(8)
"""More zero bytes in a row than UTF-16 and UTF-32 have."""
MOST_BYTES = 256 * 2**20
"""Largest sum of files, unpacked: they are read several times, and a look needs no more."""
SIGNATURES: tuple[tuple[bytes, str, tuple[str, ...]], ...] = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", ()),
    (b"\xff\xd8\xff", "a JPEG picture", ()),
    (b"GIF8", "a GIF picture", ()),
    (b"%PDF-", "a PDF document", (".pdf",)),
    (
        b"PK\x03\x04",
        "a zip archive, as .docx and .xlsx are",
        (".zip", ".docx", ".xlsx", ".xlsm", ".eval", ".odt", ".ods"),
    ),
    (b"PAR1", "a Parquet table", (".parquet",)),
    (b"\x1f\x8b", "packed by gzip", (".gz",)),
    (b"\x7fELF", "a program", ()),
    (b"MZ\x90\x00", "a program", ()),
    (b"SQLite format 3\x00", "an SQLite data base", (".sqlite", ".db")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of old Office programs (.doc, .xls)", (".doc", ".xls")),
    (b"RIFF", "a sound or video", (".wav", ".avi")),
    (b"ID3", "a sound", (".mp3",)),
    (b"\x80\x04\x95", "a pickle, which can run code", ()),
    (b"\x80\x05\x95", "a pickle, which can run code", ()),
)
"""First bytes -> what begins so, and the endings under which that is right."""


def refuse_strange_bytes(path: Path) -> None:
    """Raises SpecError for a file that is empty, or is of another kind than its ending says."""
    try:
        with path.open("rb") as file:
            head = file.read(LOOKED_AT)
    except OSError as error:
        raise SpecError.at(path, f"cannot be read: {error.strerror or error}") from None
    if not head:
        raise SpecError.at(path, "is empty")
    if not head.strip(b"\x00"):
        raise SpecError.at(path, "begins with nothing but zero bytes: no text and no table")
    binary = {one for _, _, endings in SIGNATURES for one in endings}
    if ZEROS in head and not binary & {ending(path), path.suffix.lower()}:
        raise SpecError.at(
            path, "holds zero bytes, which no text has: it is damaged, or of another kind than its ending says"
        )
    packed = path.suffix.lower() == ".gz"
    for mark, what, endings in SIGNATURES:
        if head.startswith(mark) and ending(path) not in endings and not (packed and ".gz" in endings):
            more = f", whatever its ending '{path.suffix}' says" if ending(path) in READERS else ""
            raise SpecError.at(path, f"is {what}, by its first bytes{more}: nothing that is read here")


def refuse_too_much(path: Path, files: Iterable[Path]) -> None:
    """Raises SpecError for more than a look can read; what is packed is unpacked so far."""
    left = MOST_BYTES
    for file in files:
        left -= _unpacked_size(file, left) if file.suffix.lower() == ".gz" else file.stat().st_size
        if left < 0:
            what = (
                f"holds more than {MOST_BYTES // 2**20} MiB: give a part of it, e.g. its first sessions; what comes out reads "
                "the whole when you put its `path` in"
            )
            raise SpecError.at(path, what)


def _unpacked_size(path: Path, most: int) -> int:
    """Bytes of a packed file, counted no further than just beyond `most`."""
    size = 0
    try:
        with gzip.open(path) as file:
            while size <= most and (chunk := file.read(2**20)):
                size += len(chunk)
    except (OSError, EOFError, zlib.error) as error:
        raise SpecError.at(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return size
