"""What a file is by its first bytes, where that is no text and no table: a picture under another ending, nothing but zeros."""

from __future__ import annotations

from pathlib import Path

from cbtrun.errors import SpecError
from cbtrun.tables.transcript_table import ending

LOOKED_AT = 2**16
"""Bytes that are looked at."""
SIGNATURES: tuple[tuple[bytes, str, tuple[str, ...]], ...] = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", ()),
    (b"\xff\xd8\xff", "a JPEG picture", ()),
    (b"GIF8", "a GIF picture", ()),
    (b"%PDF-", "a PDF document", (".pdf",)),
    (b"PK\x03\x04", "a zip archive, as .docx and .xlsx are", (".zip", ".docx", ".xlsx", ".eval", ".odt", ".ods")),
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
    packed = path.suffix.lower() == ".gz"
    for mark, what, endings in SIGNATURES:
        if head.startswith(mark) and ending(path) not in endings and not (packed and ".gz" in endings):
            raise SpecError.at(path, f"is {what} by its first bytes, and nothing that '{path.suffix}' files hold")
