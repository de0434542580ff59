"""How large a report of many sessions is, and how soon it can be read in a browser.

    .venv/bin/python benchmarks/report_opening.py [personas [turns]]

Makes up a study of three arms (333 personas give 999 sessions) whose words do not repeat, writes its report, opens it
five times in Chromium and prints the median time to the first text on screen, to the end of loading, and to the first
transcript. Needs the extra `browser` and chromium.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from report_studies import made_up_study  # tests/ is on the path only now

from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.write import write_all

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VOWELS, CONSONANTS = "aeiou", "bcdfghklmnprstvw"


def main() -> None:
    """Print size and times."""
    personas, turns = [int(argument) for argument in [*sys.argv[1:], 333, 40][:2]]
    with tempfile.TemporaryDirectory() as folder:
        given = with_fresh_words(made_up_study(personas, turns=turns, figures=()))
        characters = sum(len(turn.text) for session in given.sessions for turn in session.turns)
        started = time.perf_counter()
        page = write_all(given, Path(folder))[0]
        print(f"{len(given.sessions)} sessions, {characters / 1e6:.1f} million characters said")
        print(f"written in {time.perf_counter() - started:.1f} s; page {page.stat().st_size / 1e6:.2f} MB")
        first, loaded, viewed = (statistics.median(times) for times in zip(*opened(page, 5), strict=True))
        print(f"first text {first:.2f} s, loaded {loaded:.2f} s, a transcript after {viewed:.2f} s (medians of 5)")


def with_fresh_words(given: ReportInput) -> ReportInput:
    """The study with words drawn from 5,000 made-up ones, about as hard to compress as speech."""
    draw = random.Random("words")
    syllable = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]
    words = ["".join(draw.choices(syllable, k=draw.randint(1, 4))) for _ in range(5000)]
    weights = [1 / rank for rank in range(1, 5001)]
    sessions = tuple(
        session.model_copy(
            update={
                "turns": tuple(
                    turn.model_copy(update={"text": " ".join(draw.choices(words, weights, k=45))})
                    for turn in session.turns
                )
            }
        )
        for session in given.sessions
    )
    return replace(given, sessions=sessions)


def opened(page: Path, times: int) -> list[tuple[float, float, float]]:
    """Seconds to the first text, to the end of loading, and from a click to an open transcript."""
    from playwright.sync_api import sync_playwright

    found = []
    chromium = os.environ.get("CBTRUN_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for _ in range(times):
            tab = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            tab.goto(page.as_uri())
            tab.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
            first = tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            loaded = tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
            clicked = time.perf_counter()
            tab.locator("#session-list tbody tr a").nth(500 % tab.locator("#session-list tbody tr").count()).click()
            tab.wait_for_selector("#viewer[open] .turn")
            found.append((first / 1000, loaded / 1000, time.perf_counter() - clicked))
            tab.context.close()
        browser.close()
    return found


if __name__ == "__main__":
    main()
