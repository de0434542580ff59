"""Word (.docx), by python-docx (an extra): paragraphs that begin with their speaker, and tables.

A table's first row names its columns; one of two columns without such a row is `speaker` and `text`. Paragraphs are read
as lines of text with speakers (`spoken_lines`). Comments, footnotes, headers, text boxes and
deleted words are not read.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

from cbtrun.errors import SpecError
from cbtrun.tables.archive import check_office_file, opened_archive
from cbtrun.tables.readers.spoken_lines import turns_in
from cbtrun.tables.row import Row, Writing
from cbtrun.tables.source import Member, Source

NAMES_OF_COLUMNS = {
    *("speaker", "who", "role", "name", "participant", "person", "voice"),
    *("text", "utterance", "content", "said", "transcript", "turn", "message", "words", "time", "timestamp"),
}
"""Words that tell a first row that names the columns from one in which somebody speaks."""
MOST_CELLS = 1_000_000
MOST_TREE_BYTES = 2**26
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
AROUND = (f"{W}sdt", f"{W}sdtContent", f"{W}ins", f"{W}moveTo", f"{W}customXml", f"{W}smartTag")
"""What may stand around paragraphs."""
BESIDE = (f"{W}txbxContent", f"{W}pPr", f"{W}moveFrom")
WHITE = {f"{W}tab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}


def rows(source: Source, _: Writing) -> Iterator[Row]:
    """A row for each turn, with the number of its paragraph or table row, counted through the document."""
    try:
        import docx
    except ImportError:
        missing = "Word is read by python-docx, which is not installed; pip install 'cbtrun[word]'"
        raise SpecError.at(str(source), missing) from None
    with opened_archive(source) as archive:
        check_office_file(archive, source, MOST_TREE_BYTES)
    try:
        document = docx.Document(io.BytesIO(source.content) if isinstance(source, Member) else str(source))
        blocks = list(_blocks(document.element.body))
    except Exception as error:  # the library raises whatever a damaged document makes its parts raise
        what = f"cannot be read as a Word document: {type(error).__name__}: {str(error)[:200]}"
        raise SpecError.at(str(source), what) from None
    yield from _turns(blocks, source)


def _blocks(around: Any) -> Iterator[str | list[list[str]]]:
    """Paragraphs and tables in their order, those in fields for content and in text that was inserted too."""
    for element in around.iterchildren():
        if element.tag == f"{W}p":
            yield _text(element)
        elif element.tag == f"{W}tbl":
            yield _cells(element)
        elif element.tag in AROUND:
            yield from _blocks(element)


def _turns(blocks: Sequence[str | list[list[str]]], source: Source) -> Iterator[Row]:
    """Paragraphs up to a table, the table, and so on."""
    has_table = any(not isinstance(one, str) for one in blocks)
    number, lines, begun = 1, [""] * 0, 1
    for block in blocks:
        if isinstance(block, str):
            lines += block.split("\n")
            number += block.count("\n") + 1
            continue
        yield from turns_in(lines, source, begun, alone=not has_table)
        yield from _of_table(block, number, source)
        number, lines = number + len(block), []
        begun = number
    yield from turns_in(lines, source, begun, alone=not has_table)


def _cells(table: Any) -> list[list[str]]:
    """A table's texts. A cell that spans several columns stands once."""
    found: list[list[str]] = []
    count = 0
    for row in table.iterchildren(f"{W}tr"):
        cells = ["\n".join(map(_text, cell.iter(f"{W}p"))).strip() for cell in row.iter(f"{W}tc")]
        found.append(cells)
        count += len(cells)
        if count > MOST_CELLS:
            raise ValueError(f"more than {MOST_CELLS:,} cells in a table")
    return found


def _text(paragraph: Any) -> str:
    """What is written in a paragraph. Text that was deleted has another name, and text boxes stand beside it."""
    return "".join(
        (element.text or "") if element.tag == f"{W}t" else WHITE[element.tag]
        for element in paragraph.iter(f"{W}t", *WHITE)
        if not any(one.tag in BESIDE for one in element.iterancestors())
    )


def _of_table(cells: list[list[str]], number: int, source: Source) -> Iterator[Row]:
    width = max((len(row) for row in cells), default=0)
    named = bool(cells) and any(name.casefold().rstrip(":") in NAMES_OF_COLUMNS for name in cells[0])
    if not named and width != 2:
        what = f"a table of {width} columns whose first row names none of them, e.g. speaker and text"
        raise SpecError.at(str(source), what, line=number)
    header = [name.strip() for name in cells[0]] if named else ["speaker", "text"]
    if len({*header}) < len(header):
        raise SpecError.at(str(source), "two columns of a table have one name", line=number)
    for at, row in enumerate(cells[named:], start=number + named):
        if not any(row):
            continue
        if len(row) != len(header):
            what = f"this row of a table has {len(row)} cells, its first row {len(header)}"
            raise SpecError.at(str(source), what, line=at)
        yield Row(at, dict(zip(header, row, strict=True)))
