"""A stranger's words on the terminal and in the comments of a file: one line, cut, with nothing that a terminal obeys."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Kinds of signs that draw, hide or turn round what stands beside them."""


def harmless(text: object, longest: int = 60) -> str:
    """One line of at most `longest` characters and an ellipsis."""
    head = str(text)[: longest * 4]
    shown = "".join(" " if sign.isspace() or unicodedata.category(sign) in UNSEEN else sign for sign in head)
    line = " ".join(shown.split())
    return line if len(line) <= longest and len(str(text)) <= longest * 4 else f"{line[:longest].rstrip()} ..."


def quoted(text: object, longest: int = 40) -> str:
    """The same in quotes."""
    return f"'{harmless(text, longest)}'"


def counted(number: int, one: str, more: str = "") -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def some_of(columns: Sequence[str], most: int = 12) -> str:
    """The first columns of a file by name, and how many more there are."""
    more = f" and {len(columns) - most:,} more" if len(columns) > most else ""
    return ", ".join(harmless(one, 30) for one in columns[:most]) + more
