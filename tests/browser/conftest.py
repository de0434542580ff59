"""A Chromium for each module of these tests; those that open it otherwise have a fixture of their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = os.environ.get("CBTRUN_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`")
    pytest.importorskip("axe_playwright_python", reason="needs the extra `browser`")
    if not Path(CHROMIUM).exists():
        pytest.skip("needs chromium (apt-get install chromium, or CBTRUN_CHROMIUM)")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()
