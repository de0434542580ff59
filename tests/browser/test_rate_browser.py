"""`cbtrun rate` in a real browser: a session by keys alone, nothing lost at any moment, three at once, seen by everybody."""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.rated_study import lines_of, rated_files, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

pytestmark = pytest.mark.browser

CHROMIUM = os.environ.get("CBTRUN_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
MOMENTS, SEED = 20, 24


@pytest.fixture(scope="module")
def playing() -> Iterator[Playwright]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`")
    if not Path(CHROMIUM).exists():
        pytest.skip("needs chromium (apt-get install chromium, or CBTRUN_CHROMIUM)")
    with playwright.sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playing: Playwright) -> Iterator[Browser]:
    opened = playing.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of eight sessions on the CTRS."""
    project = StudyProject(tmp_path_factory.mktemp("rated"))
    for name, text in rated_files("ctrs").items():
        project.write(name, text)
    assert project.run().code == 0
    return project.folder


@pytest.fixture
def ran(once: Path, tmp_path: Path) -> StudyProject:
    return StudyProject(Path(shutil.copytree(once, tmp_path / "study")))


def opened_page(browser: Browser, address: str, width: int = 1280, height: int = 720, scheme: str = "light") -> Page:
    """A page of its own browser profile, which must not complain."""
    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    return page


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def settled(page: Page) -> None:
    """Wait until the page calls everything saved."""
    page.wait_for_selector("#saved[data-unsaved='0']", state="attached")


def begin(page: Page) -> None:
    """Agree, and pass the training session by."""
    press(page, "a", "Enter", "ArrowRight")


def code_of(page: Page) -> str:
    found = re.search(r"\((\w+)\)", (page.text_content("#where") or ""))
    assert found
    return found[1]


def test_whole_sessions_are_rated_by_keys_alone_and_go_through_agree(ran: StudyProject, browser: Browser) -> None:
    with served(ran, ["ada"], "--preferences", "2") as (_, addresses):
        page = opened_page(browser, addresses["ada"])
        press(page, "a", "Enter")
        for _ in range(11):
            press(page, "4", "j")
        press(page, "Enter")
        assert "items within one point" in page.inner_text(".foot")
        press(page, "0")  # what was entered before the answer stays
        press(page, "ArrowRight")
        for session in range(8):
            for item in range(11):
                press(page, str((session + item) % 7), "ArrowDown" if item % 2 else "j")
            press(page, "k", "q", "j", "Shift+ArrowDown", "Enter", "c")
            page.keyboard.type("b, j and 3 are words here")
            press(page, "Escape", "ArrowRight")
        press(page, "1", "ArrowRight", "0", "ArrowRight")
        settled(page)
        assert "Everything is rated" in page.inner_text("#screen")
    values = {line["place"]: line["value"] for line in lines_of(ran.folder, "ada") if "place" in line}
    assert len([place for place in values if place.startswith("score/S")]) == 88
    assert values["score/training/agenda"] == "4"
    assert sum(1 for place in values if place.startswith("quotes/")) == 8
    assert {value for place, value in values.items() if place.startswith("comment/")} == {"b, j and 3 are words here"}
    assert {value for place, value in values.items() if place.startswith("choice/")} & {"same"}
    assert ran.run("rate", "runs/mine", "--export", "--preferences", "2").code == 0
    rows = list(csv.DictReader(ran.read("runs/mine/rated/ratings.csv").splitlines()))
    given = Counter(str((session + item) % 7) for session in range(8) for item in range(11))
    assert Counter(row["score"] for row in rows) == given
    done = ran.run("agree", "runs/mine", "runs/mine/rated/ratings.csv")
    assert (done.code, "8 sessions, 1 person" in done.out) == (0, True), done.err


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (768, 1024), (390, 844)])
def test_every_item_is_reached_with_the_transcript_in_view(
    ran: StudyProject, browser: Browser, width: int, height: int
) -> None:
    with served(ran, ["ada"]) as (_, addresses):
        page = opened_page(browser, addresses["ada"], width, height)
        begin(page)
        for at in range(11):
            field = page.locator("fieldset.current")
            assert field.get_attribute("data-item") == page.locator("fieldset").nth(at).get_attribute("data-item")
            scale, talk = field.locator(".scale").bounding_box(), page.locator(".talk").bounding_box()
            assert scale
            assert talk
            assert talk["height"] > 0.25 * height
            for one in (scale, talk):  # whole, in the window
                assert min(one["x"], one["y"]) >= 0
                assert one["x"] + one["width"] <= width
                assert one["y"] + one["height"] <= height
            apart = scale["x"] >= talk["x"] + talk["width"] or scale["y"] >= talk["y"] + talk["height"]
            assert apart, "an item covers the transcript"
            press(page, "j")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


def acknowledged(page: Page) -> dict[str, str]:
    """Every score of all sessions that the page calls saved; of the open session, as it shows them."""
    saved: dict[str, str] = page.evaluate(
        """Object.fromEntries(Object.entries(rating.store.all())
           .filter(([place, value]) => place.startsWith("score/") && value && !rating.store.isUnsaved(place)))"""
    )
    shown: dict[str, str] = page.evaluate(
        """Object.fromEntries([...document.querySelectorAll("fieldset[data-item]:not(.unsaved)")]
           .map((one) => [`score/${one.dataset.code}/${one.dataset.item}`, one.querySelector("input:checked")?.value ?? ""])
           .filter(([, value]) => value))"""
    )
    return saved | shown


def kept_scores(project: StudyProject, rater: str) -> dict[str, str]:
    """The scores that a rater's file has."""
    lines = lines_of(project.folder, rater)
    return {line["place"]: line["value"] for line in lines if line.get("place", "").startswith("score/")}


def test_the_server_killed_at_any_of_twenty_moments_loses_nothing_that_was_called_saved(
    ran: StudyProject, browser: Browser
) -> None:
    chance = random.Random(SEED)
    port = free_port()
    with served(ran, ["ada"], "--port", port) as (_, addresses):
        page = opened_page(browser, addresses["ada"])
        begin(page)
        settled(page)
    most = 0
    for _ in range(MOMENTS):
        with served(ran, ["ada"], "--port", port) as (process, _):
            for _ in range(chance.randint(3, 25)):
                press(page, str(chance.randint(0, 6)), chance.choice(["j", "j", "k", "ArrowRight"]))
                if not code_or_start(page):
                    page.select_option("#jump", "S01")
                    press(page, "Escape")
            page.wait_for_timeout(chance.random() * 30)
            process.kill()
            process.wait()
            here, kept = acknowledged(page), kept_scores(ran, "ada")
            assert {place: kept.get(place) for place in here} == here
            most = max(most, len(here))
    assert most > 20
    with served(ran, ["ada"], "--port", port):
        settled(page)  # and what was entered while nobody answered goes there now
        assert kept_scores(ran, "ada") == acknowledged(page)


def code_or_start(page: Page) -> str:
    found = re.search(r"\((\w+)\)", (page.text_content("#where") or ""))
    return found[1] if found else ""


def free_port() -> str:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return str(asked.getsockname()[1])


def test_the_browser_killed_at_any_of_twenty_moments_loses_nothing_that_was_called_saved(
    ran: StudyProject, playing: Playwright, tmp_path: Path
) -> None:
    chance = random.Random(SEED + 1)
    assert ran.run("sheet", "runs/mine", "--sessions", "8", "--rater", "dee").code == 0
    with served(ran, ["ada"]) as (_, addresses):
        for moment in range(MOMENTS):
            as_file = moment % 2 == 1
            address = (ran.folder / "runs/mine/sheets/sheet-dee.html").as_uri() if as_file else addresses["ada"]
            profile = tmp_path / f"profile-{as_file}"
            here = killed_while_rating(playing, profile, address, chance)
            again = playing.chromium.launch_persistent_context(profile, **LAUNCH)
            page = again.new_page()
            page.goto(address)
            page.wait_for_selector("body[data-ready]")
            if here:
                page.select_option("#jump", next(iter(here)).split("/")[1])
            there = {place: page.locator(f'input[name="{place}"]:checked').input_value() for place in here}
            assert there == here
            again.close()


LAUNCH: dict = {
    "executable_path": CHROMIUM,
    "args": ["--no-sandbox", "--disable-gpu"],
    "viewport": {"width": 1280, "height": 720},
}


def killed_while_rating(playing: Playwright, profile: Path, address: str, chance: random.Random) -> dict[str, str]:
    """Rate for a while, and kill the browser with all its processes; gives what the page had called saved."""
    context = playing.chromium.launch_persistent_context(profile, **LAUNCH)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    if page.locator("#agreed").count() and not page.is_checked("#agreed"):
        press(page, "a")
    while not code_or_start(page):
        press(page, "Enter" if page.locator("#agreed").count() else "ArrowRight")
    for _ in range(chance.randint(2, 12)):
        press(page, str(chance.randint(0, 6)), chance.choice(["j", "j", "k"]))
    page.wait_for_timeout(chance.random() * 30)
    here = acknowledged(page)
    kill_browser(profile)
    return here


def kill_browser(profile: Path) -> None:
    """End the processes of the browser that has this profile, and no others, at once."""
    for told in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = told.read_bytes()
        except OSError:
            continue
        if f"--user-data-dir={profile}".encode() in command.split(b"\0"):
            os.kill(int(told.parent.name), 9)


def test_three_raters_at_once_each_have_their_own(ran: StudyProject, browser: Browser) -> None:
    with served(ran, ["ada", "ben", "cho"]) as (_, addresses):
        pages = {code: opened_page(browser, address) for code, address in addresses.items()}
        for page in pages.values():
            begin(page)
        for _ in range(11):
            for at, page in enumerate(pages.values()):
                press(page, str(at), "j")
        for page in pages.values():
            settled(page)
    firsts = set()
    for at, code in enumerate(pages):
        lines = lines_of(ran.folder, code)
        scores = {line["place"]: line["value"] for line in lines if line.get("place", "").startswith("score/")}
        assert set(scores.values()) == {str(at)}
        assert {place.split("/")[1] for place in scores} == {lines[0]["order"][0]}
        firsts.add(tuple(lines[0]["order"]))
    assert len(firsts) == 3


def test_words_are_marked_by_selecting_them_and_a_break_stops_the_clock(ran: StudyProject, browser: Browser) -> None:
    with served(ran, ["ada"]) as (_, addresses):
        page = opened_page(browser, addresses["ada"])
        begin(page)
        page.locator(".said").nth(1).evaluate(
            "(one) => { const range = document.createRange(); range.selectNodeContents(one); getSelection().addRange(range); }"
        )
        page.click(".mark")
        settled(page)
        assert page.inner_text(".current .quotes q") == "Yes. I see."
        code = code_of(page)
        press(page, "b")
        assert page.is_visible("#resting")
        press(page, "Enter")
        assert not page.is_visible("#resting")
        settled(page)
        page.click(".current .quotes button")
        settled(page)
    values = {line["place"]: line["value"] for line in lines_of(ran.folder, "ada") if "place" in line}
    assert values[f"quotes/{code}/agenda"] == []
    assert len(values["breaks"]) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (768, 1024), (390, 844)])
def test_no_screen_has_a_fault_that_axe_finds(
    ran: StudyProject, browser: Browser, width: int, height: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    with served(ran, ["ada"], "--preferences", "1", "--sessions", "1") as (_, addresses):
        window = {"width": width, "height": height}
        page = browser.new_context(
            viewport=window, color_scheme=scheme, bypass_csp=True
        ).new_page()  # axe is a script of its own
        page.goto(addresses["ada"])
        page.wait_for_selector("body[data-ready]")
        found = {"start": axe.run(page).response["violations"]}
        press(page, "a", "Enter")
        for screen in page.locator("#jump option").evaluate_all("(all) => all.map((one) => one.value)")[1:]:
            page.select_option("#jump", screen)
            press(page, "Escape")
            if screen == "training":
                for _ in range(11):
                    press(page, "3", "j")
                press(page, "Enter")
            elif screen.startswith("S"):
                press(page, "5", "q", "Enter")
            found[screen] = axe.run(page).response["violations"]
        press(page, "?")
        found["keys"] = axe.run(page).response["violations"]
        press(page, "Escape", "b")
        found["break"] = axe.run(page).response["violations"]
        page.context.close()
    assert {screen: [one["id"] for one in faults] for screen, faults in found.items() if faults} == {}
