"""The report in a real browser: it opens without a network, reads without a script, and shows hostile text as text."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cbtrun.contract.records import ItemScore, Quote, Turn
from cbtrun.people.human_ratings import Mapped, read_ratings
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.write import write_all
from tests.helpers.places import SPECS
from tests.helpers.report_studies import ctrs, made_up_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CHROMIUM = os.environ.get("CBTRUN_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

HOSTILE = (
    '</script><script>document.title="owned"</script><img src=x onerror=\'document.title="owned"\'> & &amp; '
    "\x00\x1b[31m \ud800 \u202eabc\u202c שלום עולם \u200f end"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`")
    if not Path(CHROMIUM).exists():
        pytest.skip("needs chromium (apt-get install chromium, or CBTRUN_CHROMIUM)")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@dataclass
class Visit:
    """An open report, with everything that went wrong or went out."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens a report: `visit(folder, width=390, javascript=False)`. Nothing may complain or go out."""
    visits: list[Visit] = []

    def open_report(
        folder: Path, hash: str = "", width: int = 1280, *, javascript: bool = True, **context: Any
    ) -> Visit:
        size = {"width": width, "height": 900}
        page = browser.new_context(viewport=size, java_script_enabled=javascript, **context).new_page()  # type: ignore[arg-type]
        one = Visit(page)
        page.on("console", lambda message: one.complaints.append(message.text))
        page.on("pageerror", lambda error: one.complaints.append(str(error)))
        page.on("request", lambda request: one.requests.append(request.url))
        page.goto((folder / "report.html").as_uri() + hash)
        visits.append(one)
        return one

    yield open_report
    for one in visits:
        assert one.complaints == []
        assert [url for url in one.requests if not url.startswith(("file:", "data:"))] == []
        one.page.context.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a report of 60 sessions."""
    folder = tmp_path_factory.mktemp("report")
    write_all(made_up_study(20, figures=()), folder)
    return folder


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a report whose words, names and quotes are hostile, with a turn of a megabyte."""
    folder = tmp_path_factory.mktemp("hostile")
    write_all(_hostile(made_up_study(4, figures=(), spec={"title": HOSTILE})), folder)
    return folder


@pytest.fixture(scope="module")
def large_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a report of 999 sessions of some 40 turns."""
    folder = tmp_path_factory.mktemp("large")
    write_all(made_up_study(333, turns=40, figures=()), folder)
    return folder


@pytest.fixture(scope="module")
def quickstart_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of the quickstart, rehearsed: every stage of it, with small counts."""
    runs = tmp_path_factory.mktemp("runs")
    spec = SPECS / "quickstart.yaml"
    command = [sys.executable, "-m", "cbtrun.cli.main", str(spec), "--rehearse", "--runs", str(runs)]
    subprocess.run(command, check=True, capture_output=True)
    return runs / "quickstart-rehearsal"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_quickstarts_report_opens_with_its_sessions(
    quickstart_report: Path, visit: Callable[..., Visit], width: int, scheme: str
) -> None:
    page = visit(quickstart_report, width=width, color_scheme=scheme).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "tuning" in str(page.text_content("main"))
    page.click("#session-list tbody tr:nth-child(1) a")
    page.wait_for_selector("#viewer[open] .turn")
    assert page.locator("#viewer .item").count() == 11


def test_a_click_opens_a_transcript_with_its_ratings_and_evidence(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report).page
    page.click("#session-list tbody tr:nth-child(3) a")
    page.wait_for_selector("#viewer[open] .turn")
    assert page.text_content("#viewer-title") == "untuned-p003-1"
    assert page.locator("#viewer .item").count() == 11
    assert page.locator("#viewer mark").count() > 0
    assert "not validated for CBT against clinicians" in str(page.text_content("#viewer .scores"))


def test_an_item_shows_its_own_evidence(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report, "#session=cbt-p001-1").page
    page.wait_for_selector("#viewer[open] .item q")
    quote = page.evaluate("document.querySelector('.item q').firstChild.data")
    page.locator(".item:has(q) > button").first.click()
    chosen = page.evaluate("[...document.querySelectorAll('mark.chosen')].map(one => one.textContent).join('')")
    assert chosen == quote


def test_keys_move_between_transcripts_and_to_the_search(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report, "#session=untuned-p001-1").page
    page.wait_for_selector("#viewer[open]")
    seen = []
    for key in ("j", "ArrowRight", "k"):
        page.keyboard.press(key)
        page.wait_for_timeout(60)
        seen.append(page.text_content("#viewer-title"))
    assert seen == ["untuned-p002-1", "untuned-p003-1", "untuned-p002-1"]
    page.keyboard.press("Escape")
    assert not page.is_visible("#viewer")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"


def test_filters_search_and_sorting_work_together(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report).page
    page.select_option("select[data-name=arm]", "cbt")
    assert page.text_content(".tools output") == "20 of 60 sessions"
    page.fill(".tools input", "p01")
    assert page.text_content(".tools output") == "10 of 60 sessions"
    page.click("#session-list th:has-text('CTRS total') button")
    page.click("#session-list th:has-text('CTRS total') button")
    totals = page.evaluate(
        "[...document.querySelectorAll('#session-list tbody tr:not([hidden]) td:nth-child(5)')].map(one => parseFloat(one.textContent) || -1)"
    )
    assert len(totals) == 10
    assert totals == sorted(totals, reverse=True)


def test_search_finds_words_inside_transcripts(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report).page
    page.fill(".tools input", "seen through me")
    page.wait_for_selector(".tools output:text-is('60 sessions')")
    page.fill(".tools input", "no such words anywhere")
    page.wait_for_selector(".tools output:text-is('0 of 60 sessions')")


def test_a_number_leads_to_the_sessions_behind_it(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report).page
    page.click("#table-groups tbody tr:first-child a")
    assert page.input_value("select[data-name=tuning]") == "cbt"
    n = page.text_content("#table-groups tbody tr:first-child td:nth-child(3)")
    assert page.text_content(".tools output") == f"{n} of 60 sessions, behind the number"


def test_the_n_of_a_contrast_leads_to_the_sessions_of_both_levels(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report).page
    page.click("#table-comparisons tbody a")
    assert page.text_content(".tools output") == "34 of 60 sessions, cbt or none, behind the number"
    page.select_option("select[data-name=arm]", "cbt")
    assert page.text_content(".tools output") == "20 of 60 sessions"


@pytest.mark.parametrize(
    "link", ["#table-groups tbody tr:first-child td:nth-child(5) a", "#finding ~ .headline dd a", ".sentence a"]
)
def test_a_mean_and_the_headline_lead_to_their_sessions(report: Path, visit: Callable[..., Visit], link: str) -> None:
    page = visit(report).page
    page.locator(link).first.focus()
    page.keyboard.press("Enter")
    assert (page.text_content(".tools output") or "").endswith("behind the number")
    page.click("[data-all]")
    assert page.text_content(".tools output") == "60 sessions"


def test_a_row_of_the_forest_plot_leads_to_its_sessions(report: Path, visit: Callable[..., Visit]) -> None:
    one = visit(report, reduced_motion="reduce")
    link = one.page.locator("#figure-contrasts .plate.wide a[href^='#sessions=']").first
    link.click()
    assert one.page.text_content(".tools output") == "34 of 60 sessions, cbt or none, behind the number"
    assert "#sessions=" in one.page.url  # the filter is in the address
    again = visit(report, hash=link.get_attribute("href") or "").page
    assert again.text_content(".tools output") == "34 of 60 sessions, cbt or none, behind the number"


def test_a_count_of_what_is_missing_shows_just_those_sessions(tmp_path: Path, visit: Callable[..., Visit]) -> None:
    given = made_up_study(20, figures=())
    write_all(given, tmp_path)
    missing = [id_ for id_, value in given.rated["ctrs"].values["total"].items() if value is None]
    page = visit(tmp_path).page
    page.locator("#care .warnings a").first.click()
    assert page.locator("#session-list tbody tr:not([hidden]) th").all_text_contents() == missing
    assert page.text_content(".tools output") == f"{len(missing)} of 60 sessions, behind the number"


@pytest.mark.parametrize("name", ["comparisons", "groups", "items"])
def test_numbers_of_a_table_do_not_overlap_on_a_phone(report: Path, visit: Callable[..., Visit], name: str) -> None:
    page = visit(report, width=390).page
    assert page.evaluate(OVERLAPS, f"#table-{name}") == []


def test_no_table_scrolls_sideways_on_a_phone(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report, width=390).page
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.locator("#table-cost").is_visible()
    wide = "[...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth + 1)"
    assert page.evaluate(f"{wide}.map((one) => one.getAttribute('aria-label'))") == []


def test_a_session_on_a_phone_says_what_its_numbers_are(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report, width=390).page
    turns = "getComputedStyle(document.querySelector('#session-list td:nth-last-child(2)'), '::before').content"
    assert "Turns" in page.evaluate(turns)


def test_a_dot_of_the_figure_opens_its_session(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report, reduced_motion="reduce").page
    wanted = page.evaluate("document.querySelector('.plate.wide a[href^=\"#session=\"]').getAttribute('href')")
    page.locator(".plate.wide a[href^='#session=']").first.click()
    page.wait_for_selector("#viewer[open]")
    assert page.evaluate("location.hash") == wanted


def test_the_main_text_reads_without_a_script(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report, javascript=False).page
    told = page.inner_text("main")
    for words in ("95 % CI", "Scores by group", "CTRS total", "Methods and results, ready to paste", "untuned-p020-1"):
        assert words in told
    assert page.locator(".plate.wide svg").first.is_visible()
    assert not page.is_visible(".tools")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(report: Path, visit: Callable[..., Visit], width: int) -> None:
    page = visit(report, width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(page.url + "#session=cbt-p001-1")
    page.wait_for_selector("#viewer[open] .turn")
    assert page.evaluate("document.querySelector('#viewer').scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(report: Path, visit: Callable[..., Visit], scheme: str) -> None:
    page = visit(report, color_scheme=scheme).page
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate(LOW_CONTRAST) == []
    page.goto(page.url + "#session=cbt-p001-1")
    page.wait_for_selector("#viewer[open] .turn")
    assert page.evaluate(LOW_CONTRAST) == []


def test_theme_can_be_chosen_and_is_kept(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report, color_scheme="light").page
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("[data-theme-toggle]")
    page.click("[data-theme-toggle]")
    assert page.text_content("[data-theme-toggle]") == "Theme: dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != paper
    page.reload()
    assert page.text_content("[data-theme-toggle]") == "Theme: dark"


def test_hostile_words_show_as_text(hostile_report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(hostile_report, "#session=cbt-p001-1").page
    page.wait_for_selector("#viewer[open] .turn")
    assert "owned" not in page.title().split("</script>")[0]
    said = page.evaluate("document.querySelector('#turn-1 .said').textContent")
    assert said.startswith('</script><script>document.title="owned"</script><img src=x')
    assert "␀␛[31m \ufffd ⟨U+202E⟩abc⟨U+202C⟩ שלום עולם" in said
    assert page.locator("#viewer script, #viewer img, main img").count() == 0
    assert page.evaluate("document.querySelector('#viewer .item p').textContent").startswith("</script>")


def test_a_turn_of_a_megabyte_is_cut_until_asked_for(hostile_report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(hostile_report, "#session=cbt-p001-1").page
    page.wait_for_selector("#viewer[open] .turn")
    assert page.evaluate("document.querySelector('#turn-2 .said').textContent.length") < 25_000
    page.click("#turn-2 button")
    assert page.evaluate("document.querySelector('#turn-2 .said').textContent.length") == 1_000_000


def test_transcripts_beside_the_page_are_loaded_when_opened(tmp_path: Path, visit: Callable[..., Visit]) -> None:
    write_all(made_up_study(4, figures=(), max_page_sessions=5), tmp_path)
    opened = visit(tmp_path)
    assert not [url for url in opened.requests if "report_transcripts" in url]
    opened.page.click("#session-list tbody tr:first-child a")
    opened.page.wait_for_selector("#viewer[open] .turn")
    assert [url.rsplit("/", 1)[1] for url in opened.requests if "report_transcripts" in url] == ["0000.js", "0001.js"]


def test_a_thousand_sessions_open_and_can_be_filtered_and_searched(
    large_report: Path, visit: Callable[..., Visit]
) -> None:
    assert (large_report / "report.html").stat().st_size < 10e6
    page = visit(large_report).page
    assert page.locator("#session-list tbody tr").count() == 999
    page.select_option("select[data-name=arm]", "supportive")
    assert page.text_content(".tools output") == "333 of 999 sessions"
    page.click("#session-list tbody tr:not([hidden]) a")
    page.wait_for_selector("#viewer[open] .turn")
    assert page.text_content("#viewer-title") == "supportive-p001-1"


def test_words_of_real_people_are_not_in_the_viewer(tmp_path: Path, visit: Callable[..., Visit]) -> None:
    write_all(made_up_study(4, figures=(), spec={"contains": "real-people"}), tmp_path)
    page = visit(tmp_path, "#session=cbt-p001-1").page
    page.wait_for_selector("#viewer[open] .item")
    assert page.text_content("#viewer .turns") == "The words of this session are not in this report."
    assert page.locator("#viewer q").count() == 0


def test_print_shows_the_whole_list_and_no_controls(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report).page
    page.emulate_media(media="print")
    assert not page.is_visible(".tools")
    assert not page.is_visible(".contents")
    assert page.evaluate("(list => list.scrollHeight - list.clientHeight)(document.querySelector('.list'))") <= 1


def test_the_quickstarts_report_prints_with_tags_on_fewer_than_25_pages(
    quickstart_report: Path, visit: Callable[..., Visit]
) -> None:
    printed = visit(quickstart_report).page.pdf(format="A4", tagged=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) < 25
    assert b"/StructTreeRoot" in printed


def test_print_shows_the_comparisons_that_are_folded_on_the_screen(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report).page
    comparison = page.locator("article.comparison").first
    assert not comparison.evaluate("one => one.checkVisibility()")
    page.emulate_media(media="print")
    assert comparison.evaluate("one => one.checkVisibility()")


OVERLAPS = """(selector) => {
  const found = [];
  for (const row of document.querySelectorAll(`${selector} tbody tr`)) {
    const spans = [...row.querySelectorAll("td")].map((cell) => {
      const range = document.createRange();
      range.selectNodeContents(cell);
      return range.getBoundingClientRect();
    }).filter((box) => box.width);
    spans.forEach((box, at) => {
      if (at && box.left < spans[at - 1].right - 0.5) found.push(row.textContent.trim().slice(0, 60));
    });
  }
  return found;
}"""

LOW_CONTRAST = """() => {
  const parse = (colour) => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return { r, g, b, a }; };
  const light = ({ r, g, b }) => [r, g, b].map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; })
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.a === 1) return colour;
    }
    return { r: 255, g: 255, b: 255 };
  };
  const found = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility() || element.closest("script, style, .unseen")) continue;
    const style = getComputedStyle(element);
    const colour = parse(element.closest("svg") ? style.fill : style.color);
    const [a, b] = [light(colour), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.add(`${ratio.toFixed(2)} ${element.tagName}.${element.className?.baseVal ?? element.className}: ${walk.currentNode.data.trim().slice(0, 30)}`);
  }
  return [...found];
}"""


def _hostile(given: ReportInput) -> ReportInput:
    """Hostile words in every first turn, quote, rationale, flag and ending; the second turn holds a megabyte."""
    first, second = Turn(speaker="therapist", text=HOSTILE), Turn(speaker="patient", text="a" * 1_000_000)
    sessions = tuple(
        one.model_copy(
            update={"turns": (first, second, *one.turns[2:]), "ended": HOSTILE, "flags": (f"flag: {HOSTILE}",)}
        )
        for one in given.sessions
    )
    score = ItemScore(item="agenda", score=3, rationale=HOSTILE, evidence=(Quote(turn=1, text=HOSTILE[:30]),))
    rated = given.rated["ctrs"]
    ratings = [one.model_copy(update={"scores": (score, *one.scores[1:])}) for one in rated.ratings]
    return replace(given, sessions=sessions, rated={"ctrs": replace(rated, ratings=ratings)})


def test_a_pair_opens_side_by_side_with_scores_and_evidence_between(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report, "#pair=cbt-p001-1|untuned-p001-1").page
    page.wait_for_selector("#viewer[open] .together .between button")
    assert page.inner_text("#viewer-title") == "p001: cbt beside untuned"
    left, right = (page.locator(f".together .turn[id={side}-1]").bounding_box() for side in ("left", "right"))
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"]
    page.locator(".between button").first.click()
    assert page.locator(".between .told").first.is_visible()
    page.select_option("[data-beside]", "")
    page.wait_for_function("location.hash === '#session=cbt-p001-1'")


def test_the_readers_own_views_are_kept_and_saved_in_the_form_of_agree(
    report: Path, visit: Callable[..., Visit], tmp_path: Path
) -> None:
    page = visit(report, "#session=cbt-p001-1").page
    page.wait_for_selector("#viewer[open] .item")
    first, second = page.locator("#viewer .item").nth(0), page.locator("#viewer .item").nth(1)
    for one in (first, second):
        one.locator(".mine summary").click()
    first.locator("input[type=checkbox]").check()
    first.locator("input[type=number]").fill("2")
    first.locator("input[type=text]").fill('=no, "agenda"')
    second.locator("input[type=text]").fill("kind")
    page.fill(".mine-bar input", "ada")
    page.locator(".mine-bar input").blur()
    page.reload()
    page.wait_for_selector("#viewer[open] .item")
    assert page.text_content(".mine-bar output") == "2 views of yours, kept in this browser"
    assert page.locator(".mine summary").first.text_content() == "my view: disagree, 2, note"
    with page.expect_download() as waiting:
        page.click(".mine-bar button")
    waiting.value.save_as(tmp_path / "views.csv")
    rubric = ctrs()
    found = read_ratings([tmp_path / "views.csv"], rubric, ["cbt-p001-1"], Mapped(), "ctrs").ratings
    assert [(one.session, one.rater, one.scores[0].score) for one in found] == [("cbt-p001-1", "ada", 2.0)]
    said = (tmp_path / "views.csv").read_text(encoding="utf-8-sig").splitlines()
    assert said[1] == 'cbt-p001-1,ada,agenda,2,"disagree: =no, ""agenda"""'
    assert said[2].startswith("cbt-p001-1,ada,")
    assert said[2].endswith(",,kind")


def test_a_filter_is_in_the_address_and_comes_back(report: Path, visit: Callable[..., Visit]) -> None:
    page = visit(report).page
    page.select_option("select[data-name=tuning]", "cbt")
    page.fill("#sessions input[type=search]", "p00")
    page.wait_for_function("location.hash.includes('find')")
    told = page.evaluate("location.hash")
    again = visit(report, told).page
    again.wait_for_function("document.querySelector('#sessions output').textContent.includes('of')")
    assert again.input_value("#sessions input[type=search]") == "p00"
    assert again.inner_text("#sessions output") == page.inner_text("#sessions output")
