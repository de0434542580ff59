"""A text in our tables is never computed by the spreadsheet that opens them."""

import csv
from io import StringIO

import pytest

from cbtrun.files.csv_cells import bare_cell, csv_text, text_cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "'=1",
        "''=1",
        "\uff1d1",
        "-p001",
        "+49 30",
        "-",
    ],
)
def test_what_would_be_a_formula_is_marked_as_text_and_read_back_as_it_was(text: str) -> None:
    assert text_cell(text) == f"'{text}"
    assert bare_cell(text_cell(text)) == text


@pytest.mark.parametrize(
    "text", ["", "s1", "'quoted'", "'", "-3.5", "+8.4", "1e-5", "+8.4 [5.2, 11.6]", "-0.1 (−1.2–3)", "50%", "a=b"]
)
def test_numbers_and_other_texts_stay_as_they_are(text: str) -> None:
    assert text_cell(text) == text
    assert bare_cell(text) == text


def test_a_table_keeps_numbers_as_numbers_and_missing_as_nothing() -> None:
    text = csv_text(("=a", "b"), [("@x", -1.5), ("ok", None)])
    assert list(csv.reader(StringIO(text))) == [["'=a", "b"], ["'@x", "-1.5"], ["ok", ""]]
