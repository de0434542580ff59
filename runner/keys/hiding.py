"""Keys that came back: taken out of every text, however it writes them, before it is kept, printed or logged.

A server was sent the key and may return it in an error, a name, a header: as it is, in other letters, JSON-escaped,
URL-encoded, in base64, broken over lines. Every key that this process gave out is known here, since standard error and
the journal are one for all models.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass

HIDDEN = "***"
SHORTEST = 12
"""Characters of the shortest key that is looked for: a local server's `EMPTY` or `ollama` is a word that people say."""

_BETWEEN = "".join(map(chr, range(33))) + "\x7f\"'\\+"
"""What may stand between two characters of a key that was broken over lines or quoted in pieces."""
_DROPPED = _BETWEEN.encode()
_UNSEEN = "\x80-\x9f\xa0\xad\u200b-\u200f\u2028-\u202e\u2060\ufeff"
_ESCAPES = re.compile(r"\\[0-7ux]|%[0-9a-fu]|&#", re.IGNORECASE)


@dataclass(frozen=True)
class _Needle:
    """How one key is looked for."""

    squeezed: bytes
    """In small letters, without what may stand between: quick to look for."""
    written: re.Pattern[str]
    """The key in any mixture of plain and escaped characters."""
    coded: tuple[str, ...]
    """The key in base64 and hexadecimal."""


_known: dict[str, _Needle] = {}


def remember(key: str) -> None:
    """From now on `hide` takes this key out. Keys shorter than SHORTEST are not looked for."""
    if len(key) >= SHORTEST and key not in _known:
        _known[key] = _Needle(_squeezed(key), _written(key), _coded(key))


def hide(text: str) -> str:
    """The text without any key that was remembered; the same object where there is none in it."""
    if not _known or len(text) < SHORTEST:
        return text
    squeezed, escaped = _squeezed(text), _ESCAPES.search(text) is not None
    for needle in list(_known.values()):
        if escaped or needle.squeezed in squeezed:
            text = needle.written.sub(HIDDEN, text)
        for coded in needle.coded:
            text = text.replace(coded, HIDDEN)
    return text


def _squeezed(text: str) -> bytes:
    return text.encode("ascii", "ignore").lower().translate(None, _DROPPED)


def _written(key: str) -> re.Pattern[str]:
    between = f"[{re.escape(_BETWEEN)}{_UNSEEN}]{{0,24}}?"
    # Atomic: a server that knows the key could else write one over which the search goes back and forth for ever.
    rest = "".join(f"(?>{between}{_character(one)})" for one in key[1:])
    return re.compile(_character(key[0]) + rest, re.IGNORECASE)


def _character(one: str) -> str:
    """One character: plain, or as JSON, Python, a URL (once or more) or HTML would escape it."""
    code = ord(one)
    ways = [
        re.escape(one),
        rf"\\+u00{code:02x}",
        rf"\\+u\{{0*{code:x}\}}",
        rf"\\+x{code:02x}",
        rf"\\+0?{code:03o}",
        rf"%(?:25)*{code:02x}",
        rf"%u00{code:02x}",
        rf"&#0*{code};?",
        rf"&#x0*{code:x};?",
        rf"\\+{re.escape(one)}",
    ]
    return f"(?:{'|'.join(ways)})"


def _coded(key: str) -> tuple[str, ...]:
    """The key in hexadecimal, and the part of its base64 that is the same whatever stands before and after."""
    raw = key.encode()
    found = {raw.hex(), raw.hex().upper()}
    for before, dropped in ((0, 0), (1, 2), (2, 3)):
        whole = b64encode(b"\0" * before + raw).decode()
        core = whole[dropped : (before + len(raw)) * 8 // 6]
        found |= {core, core.replace("+", "-").replace("/", "_")}
    return tuple(sorted(found))
