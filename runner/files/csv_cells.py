"""Cells of the CSV files that we write: a text that a spreadsheet would take for a formula is marked as text.

Names, ids and words come from anybody; `=cmd|...` in one would run where the table is opened. OWASP "CSV injection".
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_FORMULA = re.compile(r"\A'*+[=@\t\r\n\uff1d\uff20]")
_SIGNED = re.compile(r"\A'*+[-+\uff0b\uff0d]")
_NUMBER = re.compile(r"\A[-+]?[\d.,]+(?:[eE][-+]?\d+)?%?(?: ?[\[(][-+\d.,–−; ]*[\])])?")
"""A number as we write it, with its interval: nothing that could be computed."""


def text_cell(text: str) -> str:
    """A text as a cell: with an apostrophe before what would be a formula. Numbers stay numbers."""
    if _FORMULA.match(text) or (_SIGNED.match(text) and not _NUMBER.fullmatch(text)):
        return f"'{text}"
    return text


def bare_cell(cell: str) -> str:
    """The text that `text_cell` made the cell of."""
    return cell[1:] if cell[:1] == "'" and text_cell(cell[1:]) == cell else cell


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Comma-separated values with a header; floats as Python writes them, nothing where a value is missing."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in (columns, *rows):
        writer.writerow([text_cell(cell) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue()
