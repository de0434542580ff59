"""Workbooks of Excel and documents of Word give rows; what is no cell of a table, or damaged, says so."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from cbtrun.errors import SpecError
from cbtrun.tables.readers import excel_sheet
from cbtrun.tables.row import Writing
from cbtrun.tables.transcript_table import read_table

MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
TYPES = f"""<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/word/document.xml" ContentType="{MAIN}"/></Types>"""
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
RELATIONS = f"""<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r" Type="{RELATION}" Target="word/document.xml"/></Relationships>"""


def workbook(path: Path, **sheets: list[tuple[Any, ...]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def document(path: Path, body: str, before: str = "") -> Path:
    pytest.importorskip("docx")
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("[Content_Types].xml", TYPES)
        file.writestr("_rels/.rels", RELATIONS)
        file.writestr("word/document.xml", f"{before}<w:document {space}><w:body>{body}</w:body></w:document>")
    return path


def p(text: str) -> str:
    return f'<w:p><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def table(*rows: tuple[str, ...]) -> str:
    return (
        "<w:tbl>"
        + "".join(f"<w:tr>{''.join(f'<w:tc>{p(one)}</w:tc>' for one in row)}</w:tr>" for row in rows)
        + "</w:tbl>"
    )


def refusal(path: Path, **writing: str) -> str:
    with pytest.raises(SpecError) as refused:
        read_table(path, Writing(**writing))
    return str(refused.value)


def said(path: Path) -> list[tuple[str, str]]:
    return [(row.cells["speaker"], row.cells["text"]) for row in read_table(path).rows]


def test_a_sheet_gives_rows_with_numbers_and_without_errors_and_blanks(tmp_path: Path) -> None:
    rows = [(), ("session", "n", "said"), ("a", 1.0, "Hi."), (None, None, " "), ("a", 2, "#N/A"), ("a", 2.5)]
    found = read_table(workbook(tmp_path / "t.xlsx", turns=rows)).rows
    assert [(row.line, dict(row.cells)) for row in found] == [
        (3, {"session": "a", "n": 1, "said": "Hi."}),
        (5, {"session": "a", "n": 2, "said": None}),
        (6, {"session": "a", "n": 2.5, "said": None}),
    ]


def test_one_of_several_sheets_is_named_by_the_study(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", one=[("a",), (1,)], two=[("b",), (2,)])
    assert 'has several sheets: one, two; say which, e.g. `sheet: "one"`' in refusal(path)
    assert "no sheet 'three'; it has: one, two" in refusal(path, sheet="three")
    assert read_table(path, Writing(sheet="two")).rows[0].cells == {"b": 2}


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([("a", "a"), (1, 2)], "2 columns of one name, 'a'"),
        ([("a",), (1, 2)], "t.xlsx:2: column 2 holds something here, and has no name in the first row"),
        ([("a",)], "holds no rows"),
    ],
)
def test_a_sheet_that_is_no_table_says_where(tmp_path: Path, rows: list[tuple[Any, ...]], what: str) -> None:
    assert what in refusal(workbook(tmp_path / "t.xlsx", turns=rows))


def test_a_sheet_is_bounded_and_a_damaged_workbook_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "t.xlsx", turns=[("a",), *[(at,) for at in range(20)]])
    monkeypatch.setattr(excel_sheet, "MOST_ROWS", 10)
    assert "has more than 10 rows" in refusal(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("xl/workbook.xml", "<a/>")
    assert "cannot be read as an Excel workbook" in refusal(path)
    path.write_text("no zip")
    assert "cannot be read as a zip" in refusal(path)


def test_paragraphs_with_speakers_and_tables_are_turns(tmp_path: Path) -> None:
    body = p("Session 3") + p("T: How are") + p("you?") + p("C: Bad.") + table(("T", "Why?"), ("C", "Work."))
    path = document(tmp_path / "t.docx", body)
    assert said(path) == [("", "Session 3"), ("T", "How are\nyou?"), ("C", "Bad."), ("T", "Why?"), ("C", "Work.")]
    assert [row.line for row in read_table(path).rows] == [1, 2, 4, 5, 6]


def test_a_first_row_names_the_columns_of_a_table(tmp_path: Path) -> None:
    path = document(tmp_path / "t.docx", table(("Time", "Who", "Words"), ("0:01", "T", "Why?"), ("", "", "")))
    assert [dict(row.cells) for row in read_table(path).rows] == [
        {"file": "t", "Time": "0:01", "Who": "T", "Words": "Why?"}
    ]
    assert "a table of 3 columns whose first row names none" in refusal(
        document(tmp_path / "u.docx", table(("1", "T", "Why?"), ("2", "C", "No.")))
    )


def test_inserted_words_are_read_and_deleted_ones_are_not(tmp_path: Path) -> None:
    changed = (
        "<w:p><w:r><w:t>T: Why</w:t></w:r><w:del><w:r><w:delText> not</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t> now?</w:t></w:r></w:ins></w:p>"
    )
    content = f"<w:sdt><w:sdtContent>{p('C: Bad.')}</w:sdtContent></w:sdt>"
    assert said(document(tmp_path / "t.docx", changed + content)) == [("T", "Why now?"), ("C", "Bad.")]


def test_entities_and_damage_in_an_office_file_are_refused(tmp_path: Path) -> None:
    doctype = '<!DOCTYPE a [<!ENTITY b "c">]>'
    assert "declares a document type" in refusal(document(tmp_path / "t.docx", p("T: &b;"), doctype))
    assert "cannot be read as a Word document" in refusal(document(tmp_path / "u.docx", "<"))
