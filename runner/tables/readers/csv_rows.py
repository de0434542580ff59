"""CSV (.csv) and TSV (.tsv, .tab): separator and encoding as they are found, or as the study names them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from cbtrun.errors import SpecError
from cbtrun.tables.row import Row, Writing
from cbtrun.tables.source import Source
from cbtrun.tables.text_file import text_of

FIELD_LIMIT = 16 * 2**20
"""Longest cell, in characters; the standard library stops at 131,072."""
SEPARATORS = (",", ";", "\t", "|")
LOOKED_AT = 100
"""Rows by which a separator is told."""


def rows(path: Source, writing: Writing) -> Iterator[Row]:
    """A row for each record, with the line on which it begins."""
    csv.field_size_limit(FIELD_LIMIT)
    text = text_of(path, writing.encoding)
    before, told = 0, ""
    if text[:4].casefold() == "sep=":  # Excel's own line
        first, _, text = text.partition("\n")
        before, told = 1, first[4:5]
    tabbed = ".tsv" in path.suffixes[-2:] or ".tab" in path.suffixes[-2:]
    delimiter = writing.delimiter or told or ("\t" if tabbed else _separator(text, path))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = before + 1
    header: list[str] | None = None
    try:
        for cells in reader:
            if cells and header is None:
                header = _header(cells, path, start)
            elif cells and header is not None:
                if len(cells) != len(header):
                    raise SpecError.at(str(path), _uneven(cells, header, delimiter), line=start)
                yield Row(start, dict(zip(header, cells, strict=True)))
            start = before + reader.line_num + 1
    except csv.Error as error:
        raise SpecError.at(str(path), f"not valid CSV: {error}", line=start) from None


def _header(cells: Sequence[str], path: Source, line: int) -> list[str]:
    header = [cell.strip() for cell in cells]
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        at = [str(place) for place, name in enumerate(header, start=1) if name == twice[0]]
        what = f"{len(at)} columns of one name, '{twice[0]}' (columns {', '.join(at)}): rename all but one"
        raise SpecError.at(str(path), what, line=line)
    return header


def _uneven(cells: Sequence[str], header: Sequence[str], delimiter: str) -> str:
    what = f"this row does not have the header's {len(header)} columns"
    return f"{what} (it has {len(cells)}; the separator is {delimiter!r}, `delimiter` names another)"


def _separator(text: str, path: Source) -> str:
    """The separator under which the header has several columns and the rows as many. A comma where none has."""
    fitting = {mark: width for mark in SEPARATORS if (width := _width(text, mark)) > 1}
    if len(fitting) > 1:
        shown = " or ".join(repr(mark) for mark in fitting)
        raise SpecError.at(
            str(path), f'the columns may be parted by {shown}: say which, e.g. `delimiter: "{next(iter(fitting))}"`'
        )
    if fitting:
        return next(iter(fitting))
    header = text.partition("\n")[0]
    return max(SEPARATORS, key=header.count)


def _width(text: str, mark: str) -> int:
    """Columns under a separator; 0 where rows differ."""
    try:
        found = islice(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True), LOOKED_AT)
        widths = {len(cells) for cells in found if cells}
    except csv.Error:
        return 0
    return widths.pop() if len(widths) == 1 else 0
