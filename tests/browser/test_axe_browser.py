"""axe-core finds nothing on any page that cbtrun makes: the report, its parts, `cbtrun view`, the sheets."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from cbtrun.plugins.report.run_server import make_server
from cbtrun.plugins.report.write import write_all
from tests.helpers.learning_study import learning_study
from tests.helpers.two_controls import two_controls

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

UNFOLDED = "for (const one of document.querySelectorAll('details:not([name])')) one.open = true"
"""Details with a name close each other."""


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a report with every section that a made-up study has."""
    folder = tmp_path_factory.mktemp("report")
    write_all(learning_study(figures=(), tables=()), folder)
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of `cbtrun view` of two runs, whose sessions models held."""
    folder = tmp_path_factory.mktemp("viewed")
    study = two_controls("talked", report="{using: html, tables: [], figures: []}")
    (folder / "study.yaml").write_text(study, encoding="utf-8")
    command = [sys.executable, "-m", "cbtrun.cli.main", "study.yaml", "--runs", "first"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)  # Playwright's loop runs in this process
    shutil.copytree(folder / "first", folder / "second")
    running = make_server([folder / name / "talked" for name in ("first", "second")])
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def violations(page: Page) -> list[str]:
    """Rule and nodes of everything that axe-core finds on the page as it is now."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_with_everything_unfolded(page: Page, report: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(report)
    page.evaluate(UNFOLDED)
    assert violations(page) == []


@pytest.mark.parametrize("address", ["#session=cbt-p001-1", "#pair=cbt-p001-1|untuned-p001-1"])
def test_a_transcript_and_a_pair_side_by_side(page: Page, report: str, address: str) -> None:
    page.goto(report + address)
    page.wait_for_selector("#viewer[open] .turn")
    assert violations(page) == []
    page.evaluate(UNFOLDED.replace("'details", "'#viewer details"))
    page.locator("#viewer .people summary").first.click()
    page.locator("#viewer .item > button").first.click()
    assert violations(page) == []


@pytest.mark.parametrize("place", ["/", "/compare?first=1&second=2", "/1/report.html", "/1/thinking", "/1/calls"])
def test_pages_of_the_viewer(page: Page, server: str, place: str) -> None:
    page.goto(server + place)
    page.evaluate(UNFOLDED)
    assert violations(page) == []


@pytest.mark.parametrize("kind", ["calls", "thinking"])
def test_the_page_of_one_session_with_its_prompts(page: Page, server: str, kind: str) -> None:
    page.goto(f"{server}/1/calls")
    session = page.locator("main section a").first.inner_text()
    page.goto(f"{server}/1/{kind}?session={session}")
    page.evaluate(UNFOLDED)
    assert page.locator(".turn").count() == 4
    assert violations(page) == []
