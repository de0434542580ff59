"""What attributes, themes and courses say is read anew when their files change, also in one process (a notebook)."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbtrun.errors import SpecError
from cbtrun.plugins.corpus.course_plan import read_course
from cbtrun.plugins.personas.attributes import read_attributes
from tests.helpers.places import ROOT

SHIPPED = ROOT / "specs/personas"


def test_a_course_that_was_changed_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    session = "{phase: early, aims: [a], techniques: [t]}"
    path.write_text(f"course: c\ntitle: C\nsessions: [{session}]\n", encoding="utf-8")
    assert len(read_course(path).sessions) == 1
    path.write_text(f"course: c\ntitle: C\nsessions: [{session}, {session}]\n", encoding="utf-8")
    assert len(read_course(path).sessions) == 2


def test_attributes_whose_theme_was_changed_are_read_anew(tmp_path: Path) -> None:
    path, theme = tmp_path / "a.yaml", tmp_path / "themes/work.yaml"
    theme.parent.mkdir()
    path.write_text((SHIPPED / "depression.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    text = (SHIPPED / "themes/work.yaml").read_text(encoding="utf-8")
    theme.write_text(text, encoding="utf-8")
    assert read_attributes(path).stories["work"].theme == "work"
    theme.write_text(text.replace("theme: work", "theme: work-of-mine"), encoding="utf-8")
    assert read_attributes(path).stories["work"].theme == "work-of-mine"
    path.write_text("attributes: a\n", encoding="utf-8")
    with pytest.raises(SpecError, match="missing key"):
        read_attributes(path)


def test_a_slot_that_nobody_fills_is_told_in_attributes_and_in_themes(tmp_path: Path) -> None:
    path, theme = tmp_path / "a.yaml", tmp_path / "themes/work.yaml"
    theme.parent.mkdir()
    text = (SHIPPED / "depression.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("with my {partner}", "with my {patner}", 1), encoding="utf-8")
    with pytest.raises(
        SpecError, match=r"a\.yaml:\d+:\d+: living/\d+/value: no slot \{patner\}; known: \{friend\}, \{boss\}"
    ):
        read_attributes(path)
    path.write_text(text, encoding="utf-8")
    work = (SHIPPED / "themes/work.yaml").read_text(encoding="utf-8")
    theme.write_text(work.replace("{boss}", "{chief}", 1), encoding="utf-8")
    with pytest.raises(SpecError, match=r"work\.yaml:\d+:\d+: .*no slot \{chief\}"):
        read_attributes(path)
