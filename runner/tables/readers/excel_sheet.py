"""Excel (.xlsx, .xlsm), by openpyxl (an extra): the first row that holds anything names the columns.

Formulas give the value that was last computed; an error (#N/A) is nothing. A workbook of several sheets needs `sheet:`.
"""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from cbtrun.errors import SpecError
from cbtrun.tables.archive import check_office_file, opened_archive
from cbtrun.tables.row import Row, Writing
from cbtrun.tables.source import Member, Source

MOST_ROWS = 2**20
"""As many as a sheet of Excel's can have."""
MOST_COLUMNS = 1_000


def rows(source: Source, writing: Writing) -> Iterator[Row]:
    """A row for each of the sheet's that holds anything, with its number there."""
    try:
        import openpyxl
    except ImportError:
        missing = "Excel is read by openpyxl, which is not installed; pip install 'cbtrun[excel]'"
        raise SpecError.at(str(source), missing) from None
    with opened_archive(source) as archive:
        check_office_file(archive, source)
    content = io.BytesIO(source.content) if isinstance(source, Member) else source
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of drawings and validations, which hold no turn
            book = openpyxl.load_workbook(content, read_only=True, data_only=True, keep_links=False)
            try:
                yield from _rows(_sheet(book, writing.sheet, source), source)
            finally:
                book.close()
    except SpecError:
        raise
    except Exception as error:  # the library raises whatever a damaged workbook makes its parts raise
        what = f"cannot be read as an Excel workbook: {type(error).__name__}: {str(error)[:200]}"
        raise SpecError.at(str(source), what) from None


def _sheet(book: Any, name: str, source: Source) -> Any:
    sheets = [one for one in book.worksheets if one.sheet_state == "visible" or one.title == name]
    titles = [one.title for one in sheets]
    if name and name not in titles:
        raise SpecError.at(str(source), f"no sheet '{name}'; it has: {', '.join(titles)}")
    if not name and len(sheets) > 1:
        example = f'`sheet: "{titles[0]}"`'
        raise SpecError.at(str(source), f"has several sheets: {', '.join(titles)}; say which, e.g. {example}")
    if not sheets:
        raise SpecError.at(str(source), "has no sheet")
    return sheets[titles.index(name) if name else 0]


def _rows(sheet: Any, source: Source) -> Iterator[Row]:
    sheet.reset_dimensions()  # what the file says of its own size may be a million times what it holds
    header: list[str] = []
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        if number > MOST_ROWS or len(cells) > MOST_COLUMNS:
            raise SpecError.at(
                str(source), f"has more than {MOST_ROWS:,} rows or {MOST_COLUMNS:,} columns", line=number
            )
        values = [_value(cell) for cell in cells]
        if all(value is None for value in values):
            continue
        if not header:
            header = _header(values, source, number)
            continue
        beyond = [at for at, value in enumerate(values) if value is not None and not "".join(header[at : at + 1])]
        if beyond:
            what = f"column {beyond[0] + 1} holds something here, and has no name in the first row"
            raise SpecError.at(str(source), what, line=number)
        filled = [*values, *[None] * (len(header) - len(values))]
        yield Row(number, {name: value for name, value in zip(header, filled, strict=False) if name})


def _value(cell: Any) -> Any:
    if cell.data_type == "e" or (isinstance(cell.value, str) and not cell.value.strip()):
        return None
    value = cell.value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _header(values: Sequence[Any], source: Source, number: int) -> list[str]:
    header = ["" if value is None else str(value).strip() for value in values]
    twice = [name for name, count in Counter(one for one in header if one).items() if count > 1]
    if twice:
        what = f"{header.count(twice[0])} columns of one name, '{twice[0]}': rename all but one"
        raise SpecError.at(str(source), what, line=number)
    return header
