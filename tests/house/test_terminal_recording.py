"""A recording shows what a command really printed; the picture of it is light, self-contained, and stands still where asked to."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.helpers.places import ROOT

sys.path.insert(0, str(ROOT / "tools"))
terminal_recording = importlib.import_module("terminal_recording")
sys.path.remove(str(ROOT / "tools"))

PICTURE = ROOT / "docs/quickstart.svg"


def test_what_a_command_prints_is_recorded_with_its_time_and_drawn(tmp_path: Path) -> None:
    pytest.importorskip("pyte", reason="needs the extra `docs`")
    cast = tmp_path / "a.cast"
    terminal_recording.record(cast, [f"{sys.executable} -c \"print('one <two>'); print('three')\""])
    head, *events = map(json.loads, cast.read_text(encoding="utf-8").splitlines())
    assert head["version"] == 2
    assert [event[0] for event in events] == sorted(event[0] for event in events)
    drawn = terminal_recording.draw(cast)
    said = [element.text for element in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
    assert {"one <two>", "three"} <= {*said}


def test_long_waits_are_shortened_and_the_last_screen_stays() -> None:
    frames = [terminal_recording.Frame(at, (str(at),)) for at in (0.0, 1.0, 601.0)]
    start, second, last = terminal_recording.shown_at(frames)
    assert start == 0
    assert 20 < (last - second) / (second - start) < 30, "the root of 600"
    assert last == pytest.approx(terminal_recording.LONGEST - terminal_recording.LAST)


def test_the_recording_of_the_quickstart_is_small_and_asks_nobody_for_anything() -> None:
    text = PICTURE.read_text(encoding="utf-8")
    assert len(text.encode()) < 200_000
    elements = [*ElementTree.fromstring(text).iter()]
    assert {element.tag.rpartition("}")[2] for element in elements} <= {
        "svg",
        "style",
        "rect",
        "defs",
        "text",
        "g",
        "use",
    }
    assert [
        value for element in elements for key, value in element.items() if key.endswith("href") and value[0] != "#"
    ] == []
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-reduced-motion" in text
    assert "$ cbtrun quickstart" in text
    assert "results: runs/quickstart" in text
