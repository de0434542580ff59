"""The rating sheet in a real browser: filled in without a network, saved as a file that `cbtrun agree` reads."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cbtrun.contract.records import Session, Turn
from cbtrun.humans.sheet import draw_sheet, form_page
from cbtrun.ratings.rubric_file import find_rubric, read_rubric
from tests.helpers.places import RUBRICS

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

CHROMIUM = os.environ.get("CBTRUN_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror=\'document.title="owned"\'>'


@pytest.fixture
def sheet(tmp_path: Path) -> Iterator[Page]:
    """The open form of two sessions on the CTRS, one with hostile words."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`")
    if not Path(CHROMIUM).exists():
        pytest.skip("needs chromium (apt-get install chromium, or CBTRUN_CHROMIUM)")
    turns = (Turn(speaker="therapist", text=HOSTILE), Turn(speaker="patient", text="Yes."))
    sessions = [Session(id=f"s{at}", draw=str(at), turns=turns, ended="x") for at in range(2)]
    rubric = read_rubric(find_rubric("ctrs", [RUBRICS]))
    (tmp_path / "sheet.html").write_text(form_page(draw_sheet(sessions, 2, (), 1), rubric), encoding="utf-8")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = opened.new_page()
        page.goto((tmp_path / "sheet.html").as_uri())
        yield page
        opened.close()


def test_what_is_entered_is_saved_as_a_table_and_kept_over_a_reload(sheet: Page, tmp_path: Path) -> None:
    assert sheet.locator("#progress").text_content() == "0 of 22 items rated"
    sheet.locator("#save").click()
    assert "name or code first" in (sheet.locator("#progress").text_content() or "")
    sheet.locator("#rater").fill('Ada, "x"')
    for field in sheet.locator("fieldset").all():
        field.locator("input[type=radio]").nth(4).check()
    with sheet.expect_download() as waiting:
        sheet.locator("#save").click()
    waiting.value.save_as(tmp_path / "saved.csv")
    rows = list(csv.DictReader((tmp_path / "saved.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 22
    assert {(row["rater"], row["score"]) for row in rows} == {('Ada, "x"', "4")}
    sheet.reload()
    assert sheet.locator("#progress").text_content() == "22 of 22 items rated"
    sheet.evaluate("localStorage.clear()")
    sheet.reload()
    assert sheet.locator("#progress").text_content() == "0 of 22 items rated"
    sheet.locator("#open").set_input_files(tmp_path / "saved.csv")
    sheet.wait_for_function("document.getElementById('progress').value.startsWith('22')")


def test_hostile_words_are_words(sheet: Page) -> None:
    assert sheet.title() != "owned"
    assert HOSTILE in (sheet.locator(".transcript").first.text_content() or "")
