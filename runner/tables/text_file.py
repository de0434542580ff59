"""The text of a stranger's file: unpacked within a bound, in the encoding that it has or that the study names."""

from __future__ import annotations

import codecs

from cbtrun.errors import SpecError
from cbtrun.tables.source import Source, bytes_of

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NO_TEXT = {"unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined", "mbcs", "oem"}
"""Codecs that are no encoding of a file."""


def text_of(path: Source, encoding: str = "") -> str:
    """A file's text. encoding: empty for UTF-8, UTF-16 or UTF-32 as its first bytes tell.

    Raises SpecError for a file that is too large, and for bytes that the encoding has not. The 8-bit encodings cannot be told
    from each other, so that none of them is taken unless the study names it.
    """
    content = bytes_of(path)
    name = encoding or _told_by(content)
    try:
        if (found := codecs.lookup(name)).name in NO_TEXT or not found._is_text_encoding:
            raise LookupError
        return content.decode(name)
    except LookupError:
        raise SpecError.at(
            str(path), f"unknown encoding '{name}'; known are e.g. utf-8, utf-16, windows-1252"
        ) from None
    except UnicodeError as error:
        reason, at = getattr(error, "reason", str(error)), getattr(error, "start", 0)
        if encoding:
            raise SpecError.at(str(path), f"not {encoding}: {reason} at byte {at}") from None
        hint = "Files of Excel in Western Europe are windows-1252: say `encoding: windows-1252`, or the one it has"
        line = content.count(b"\n", 0, at) + 1
        raise SpecError.at(str(path), f"not UTF-8: {reason} at byte {at}. {hint}", line=line) from None


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
