"""Tables as people read them, and the same as Markdown and LaTeX; tidy CSV beside them for further work."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cbtrun.plugin import csv_text, write_atomically
from cbtrun.plugins.report.plain_text import plain

NARROW, NARROW_GAP = 21.875, 0.45
"""Width of the page's text on a phone 390 pixels wide, and the gap between columns there, in rem."""


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    cells: tuple[str, ...]
    sessions: Mapping[str, str | Sequence[str]] | None = None
    """Filter of the list of sessions that shows the ones behind the row; its numbers link to them."""
    apart: Mapping[int, Mapping[str, str | Sequence[str]] | None] = field(default_factory=dict)
    """Column -> filter of a number that rests on other sessions than its row, or on none."""
    starts: bool = True
    """Whether it starts a new block; a row that does not repeats its first cell silently."""
    detail: str = ""
    """A sentence under the row."""


@dataclass(frozen=True)
class Table:
    """A table of words and formatted numbers."""

    name: str
    """File name without its ending."""
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    words: int = 1
    """How many columns from the left are words; the others are numbers."""
    count: int | None = None
    """Column whose link the keyboard stops at; those of a row's other numbers lead to the same sessions."""
    notes: tuple[str, ...] = ()
    blocks: bool = False
    """In the page, the first column becomes headings between the rows."""
    below: int | None = None
    """In the page, this column of words stands under its row."""

    @property
    def columns_in_page(self) -> list[int]:
        """Positions of the columns that stand in the rows of the page."""
        return [at for at in range(self.blocks, len(self.columns)) if at != self.below]


@dataclass(frozen=True)
class CellLink:
    """How a number leads to its sessions."""

    sessions: Mapping[str, str | Sequence[str]] | None
    """Its own filter; none where its row says it."""
    stop: bool
    """Whether the keyboard stops at it."""


def cell_link(table: Table, row: Row, at: int) -> CellLink | None:
    """The link of a row's cell; none for words, and where there is nothing behind a number."""
    if at < table.words or row.cells[at] in ("–", ""):
        return None
    if at in row.apart:
        return CellLink(row.apart[at], stop=True) if row.apart[at] is not None else None
    return CellLink(None, stop=at == table.count) if row.sessions is not None else None


def narrow_widths(table: Table) -> str:
    """Columns of the table on a phone, where the first one stands above its row: CSS grid tracks by their longest piece.

    Numbers may break before their interval or bracket, words between words.
    """
    return " ".join(f"minmax({rem:.2f}rem, {rem:.2f}fr)" for rem in _narrow_rems(table))


def is_too_wide_for_a_phone(table: Table) -> bool:
    """Whether the table's columns do not fit side by side on a phone, so that every number gets a line of its own."""
    tracks = _narrow_rems(table)
    return sum(tracks) + NARROW_GAP * (len(tracks) - 1) > NARROW


def _narrow_rems(table: Table) -> list[float]:
    tracks = []
    for at in table.columns_in_page[1:]:
        head = 0.45 * max(map(len, table.columns[at].split()))
        pieces = [piece for row in table.rows for piece in _pieces(row.cells[at], numbers=at >= table.words)]
        tracks.append(min(12, max(1.6, head, max(map(_rem, pieces), default=0))))
    return tracks


def _rem(piece: str) -> float:
    """About how wide a piece of a cell is on a phone, in rem, with a wide font."""
    return sum(0.5 if sign.isalpha() else 0.41 for sign in piece)


def _pieces(cell: str, *, numbers: bool) -> list[str]:
    return re.split(r" (?=[\[(])", cell) if numbers else re.split(r" |(?<=-)", cell)


def as_markdown(table: Table) -> str:
    """A pipe table with title and notes."""
    rule = ["---" if at < table.words else "---:" for at in range(len(table.columns))]
    lines = [_pipe(table.columns), _pipe(rule), *(_pipe(row.cells) for row in table.rows)]
    notes = [_markdown_text(note) for note in table.notes]
    return "\n".join([f"**{_markdown_text(table.title)}**", "", *lines, *(["", *notes] if notes else []), ""])


def as_latex(table: Table) -> str:
    """A booktabs table with caption, label and notes; needs `booktabs` and a font with U+2212."""
    shape = "l" * table.words + "r" * (len(table.columns) - table.words)
    rows = [_latex_row(row.cells) for row in table.rows]
    notes = [rf"\par\smallskip\footnotesize {_latex_text(note)}" for note in table.notes]
    head = [r"\begin{table}", r"\centering", rf"\caption{{{_latex_text(table.title)}}}", rf"\label{{tab:{table.name}}}"]
    body = [
        rf"\begin{{tabular}}{{{shape}}}",
        r"\toprule",
        _latex_row(table.columns),
        r"\midrule",
        *rows,
        r"\bottomrule",
    ]
    return "\n".join([*head, *body, r"\end{tabular}", *notes, r"\end{table}", ""])


def as_csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Comma-separated values with a header; floats as Python writes them, nothing where a value is missing."""
    return csv_text(columns, [[plain(cell) if isinstance(cell, str) else cell for cell in row] for row in rows])


def save_table(table: Table, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write the table as Markdown and LaTeX, as far as wanted; give the files."""
    writers = {"markdown": ("md", as_markdown), "latex": ("tex", as_latex)}
    paths = []
    for ending, write in [writers[one] for one in formats if one in writers]:
        path = folder / f"{table.name}.{ending}"
        write_atomically(path, write(table))
        paths.append(path)
    return paths


def _pipe(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_markdown_text(cell) for cell in cells) + " |"


def _markdown_text(text: str) -> str:
    line = " ".join(plain(text).split())
    return "".join(f"\\{sign}" if sign in r"\`*_[]<>|#" else sign for sign in line)


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(_latex_text(cell) for cell in cells) + r" \\"


_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$", "–": "--"}
_LATEX |= {sign: f"\\{sign}" for sign in "&%$#_{}"} | {"’": "'", "±": r"$\pm$", "<": r"$<$", ">": r"$>$"}


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(plain(text).split()))
