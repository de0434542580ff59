"""Text from models and strangers, made safe to show: what cannot be seen is made visible, what lies is disarmed."""

from __future__ import annotations

import re

_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LINE_BREAKS = re.compile("\r\n?|[\u2028\u2029\x85]")
_CONTROLS = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
_CONTROLS |= {0x7F: "\u2421"} | dict.fromkeys([*range(0x80, 0xA0), 0xFFFE, 0xFFFF], "\ufffd")


def plain(text: str) -> str:
    """The text as a reader may see it.

    Control characters become their pictures (`␀`), lone surrogates and noncharacters become `�`, characters that
    reorder their surroundings become their code (`⟨U+202E⟩`); line breaks of every kind become newlines.
    Plain right-to-left text and marks stay: the page isolates each turn.
    """
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    lines = _LINE_BREAKS.sub("\n", whole)
    return _BIDI.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", lines).translate(_CONTROLS)


def wrapped(text: str, length: int) -> str:
    """The text in at most two lines of `length` characters, with an ellipsis where it was cut."""
    import textwrap

    lines = textwrap.wrap(plain(text), length) or [""]  # a no-break space holds
    return "\n".join([*lines[:1], *([shortened(" ".join(lines[1:]), length)] if lines[1:] else [])])


def shortened(text: str, length: int) -> str:
    """The text in one line of at most `length` characters, with an ellipsis where it was cut."""
    line = " ".join(plain(text).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
