"""The rating page as a file, in a real browser: filled in without a network, saved as a table that `cbtrun agree` reads."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cbtrun.contract.records import Session, Turn
from cbtrun.humans.rating_page import rating_page
from cbtrun.humans.sheet import draw_sheet
from cbtrun.humans.task import Settings, task_of
from cbtrun.ratings.rubric_file import find_rubric, read_rubric
from tests.helpers.places import RUBRICS
from tests.helpers.rated_study import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

CHROMIUM = os.environ.get("CBTRUN_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"


@pytest.fixture
def sheet(tmp_path: Path) -> Iterator[Page]:
    """The open page of two sessions on the CTRS with hostile words; who opens it has not agreed yet."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`")
    if not Path(CHROMIUM).exists():
        pytest.skip("needs chromium (apt-get install chromium, or CBTRUN_CHROMIUM)")
    turns = (Turn(speaker="therapist", text=HOSTILE), Turn(speaker="patient", text="Yes. I see."))
    sessions = [Session(id=f"s{at}", draw=str(at), turns=turns, ended="x") for at in range(2)]
    task = task_of(draw_sheet(sessions, 2, (), "1"), read_rubric(find_rubric("ctrs", [RUBRICS])), 1, Settings())
    (tmp_path / "sheet.html").write_text(rating_page(task), encoding="utf-8")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = opened.new_page()
        page.goto((tmp_path / "sheet.html").as_uri())
        page.wait_for_selector("body[data-ready]")
        yield page
        opened.close()


def reload(page: Page) -> None:
    """Open the page again."""
    page.reload()
    page.wait_for_selector("body[data-ready]")


def test_what_is_entered_is_saved_as_a_table_and_kept_over_a_reload(sheet: Page, tmp_path: Path) -> None:
    assert sheet.inner_text("#progress") == "0 of 22 items rated"
    sheet.click("#save")
    assert "enter your code first" in sheet.inner_text(".told")
    sheet.fill("#rater", 'Ada, "x"')
    sheet.check("#agreed")
    sheet.click("button:has-text('Begin')")
    for _ in range(2):
        for _ in range(11):
            sheet.keyboard.press("4")
            sheet.keyboard.press("j")
        sheet.keyboard.press("ArrowRight")
    sheet.wait_for_selector("#saved[data-unsaved='0']", state="attached")
    with sheet.expect_download() as waiting:
        sheet.keyboard.press("s")
    waiting.value.save_as(tmp_path / "saved.csv")
    rows = list(csv.DictReader((tmp_path / "saved.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 22
    assert {(row["rater"], row["score"]) for row in rows} == {('Ada, "x"', "4")}
    with sheet.expect_download() as waiting:
        sheet.keyboard.press("r")
    waiting.value.save_as(tmp_path / "record.json")
    record = json.loads((tmp_path / "record.json").read_text())
    assert (record["rater"], len(record["order"]), bool(record["entries"]["consent"])) == ('Ada, "x"', 2, True)
    reload(sheet)
    assert sheet.inner_text("#progress") == "22 of 22 items rated"
    sheet.evaluate("localStorage.clear(); indexedDB.deleteDatabase('cbtrun-sheets')")
    reload(sheet)
    assert sheet.inner_text("#progress") == "0 of 22 items rated"
    sheet.set_input_files("#open", tmp_path / "saved.csv")
    sheet.wait_for_selector("#progress:has-text('22 of 22')")


def test_hostile_words_are_words(sheet: Page) -> None:
    sheet.fill("#rater", "ada")
    sheet.check("#agreed")
    sheet.click("button:has-text('Begin')")
    assert HOSTILE in (sheet.locator(".talk").first.text_content() or "")
    assert sheet.title() != "owned"
