"""Anybody's text as Markdown shows it: words, and never markup, HTML, a link or a row of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

MARKS = re.compile(r"([\\`*_{}\[\]#|~$!@])")
BEGINS = re.compile(r"^([-+=]|\d+[.)](?=\s|$))")
"""What begins a list or a heading at the start of a line."""
LINKS = re.compile(r"(?i)(://|\bwww\.|\bmailto:)")
"""What becomes a link by itself."""


def markdown_text(text: str) -> str:
    """One line of Markdown that shows a text as it is. Signs that nobody sees become spaces."""
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    plain = MARKS.sub(r"\\\1", plain.replace("&", "&amp;"))
    plain = plain.replace("<", "&lt;").replace(">", "&gt;")
    plain = LINKS.sub(lambda found: re.sub(r"([:.])", r"\\\1", found[1]), plain)
    return BEGINS.sub(lambda found: f"{found[1][:-1]}\\{found[1][-1]}", plain)


def markdown_code(text: str) -> str:
    """A short text as code, in which nothing is markup; signs that would end it are left out."""
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return f"`{plain.replace('`', '').replace('|', '') or '-'}`"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table, line by line; its cells are anybody's text."""
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(markdown_text(cell) for cell in row)} |"
