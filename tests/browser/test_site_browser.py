"""The site opens from a folder: pages at both widths and in both colours without a fault for axe-core, and a search that finds."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.places import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built anew."""
    pytest.importorskip("zensical", reason="needs the extra `docs`")
    sys.path.insert(0, str(ROOT / "tools"))
    docs_site = importlib.import_module("docs_site")
    sys.path.remove(str(ROOT / "tools"))
    folder = tmp_path_factory.mktemp("built")
    assert docs_site.build(folder, versions=False) == []
    return folder / "site"


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=["light, wide", "dark, narrow"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    scheme, width = request.param
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", ["index.html", "docs/index.html", "docs/statistics.html", "docs/reference/study.html"])
def test_a_page_of_the_site_has_no_fault_and_asks_no_host(page: Page, site: Path, name: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.goto((site / name).as_uri())
    page.wait_for_function("document.querySelector('.md-typeset h1')")
    page.wait_for_function("document.body.hasAttribute('data-md-color-scheme')")
    found = Axe().run(page).response["violations"]
    assert [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]] == []
    assert [one for one in asked if not one.startswith(("file:", "data:", "blob:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"


def test_the_search_finds_a_page_without_a_server(browser: Browser, site: Path) -> None:
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("Control+k")
    page.keyboard.type("Krippendorff", delay=20)
    page.get_by_text("Agreement").first.wait_for(timeout=10_000)
    page.close()
