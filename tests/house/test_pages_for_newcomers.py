"""The glossary and the questions keep step with the program: its words are explained, and what is said of systems is so."""

from __future__ import annotations

import sys

import pytest

from cbtrun.cli.main import NOT_HERE, exit_code_of
from cbtrun.contract.stage_kinds import STAGES
from tests.helpers.places import ROOT


def test_the_glossary_has_a_word_for_each_stage_and_record() -> None:
    page = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    for word in (
        "arm",
        "persona",
        "corpus",
        "rubric",
        "rater",
        "outcome",
        "journal",
        "rehearsal",
        "practice",
        "course",
        "theme",
    ):
        assert f"| {word}" in page, word
    stages = next(line for line in page.splitlines() if line.startswith("| stage |"))
    assert [
        name
        for name in STAGES
        if name in ("personas", "corpus", "tune", "sessions", "ratings", "report") and name not in stages
    ] == []


def test_on_windows_a_command_says_what_to_do_in_place_of_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert exit_code_of(["plugins"]) == 2
    assert NOT_HERE in capsys.readouterr().err
