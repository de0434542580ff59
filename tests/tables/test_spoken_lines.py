"""Text in which speakers begin turns, as people write it down."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbtrun.tables.readers.spoken_lines import spoken_turns, turns_in


@pytest.mark.parametrize(
    ("text", "speakers"),
    [
        ("T1: a\nC1: b\nT2: c\nC2: d", "TCTC"),
        ("T1: a\nC2: b\nT3: c\nC4: d", "TCTC"),
        ("T: a\n\nmore\n\nI mean still: more of it\nC: b", "TC"),
        ("[00:01:02] T: a\n(00:01:04 - 00:01:05) C: b\nT [00:02:03]: c\n[1:02.500] C： d", "TCTC"),
        ("1. T: a\n2. C: b\n(3) T: c\n14 C: d", "TCTC"),
        ("**T:** a\n__C__: b\n- **T**: c\n### C:\nd", "TCTC"),
        ("T：a\nC：b", "TC"),
        ("T:\na\n\nC:\nb", "TC"),
        ("T\na\nmore\n\nC\nb\n\nT\nc\n\nC\nd", "TCTC"),
        ("T 0:03\na\n\nC 0:10\nb\n\nT 0:20\nc\n\nC 1:00:20\nd", "TCTC"),
        ("T  0:03\na\n\nC  0:10\nb\n\nT  0:20\nc\n\nC  1:00:20\nd", "TCTC"),
    ],
)
def test_turns_begin_with_their_speakers(text: str, speakers: str) -> None:
    found = list(turns_in(text.splitlines(), Path("t.txt")))
    assert "".join(row.cells["speaker"] for row in found) == speakers
    assert [row.cells["text"][0] for row in found] == list("abcd"[: len(speakers)])


def test_a_number_that_stands_twice_is_still_one_of_turns() -> None:
    text = "\n".join(f"{who}{at}: x" for at in (1, 2, 2, 3, 4, 5) for who in "TC")
    found = [row.cells["speaker"] for row in turns_in([*text.splitlines(), "Note: y"], Path("t.txt"))]
    assert found == [*"TC" * 6, "Note"]


@pytest.mark.parametrize("text", ["P1: a\nP2: b\nP1: c", "SPEAKER_00: a\nSPEAKER_01: b", "T1: a\nC1: b\nT1: c"])
def test_numbers_that_are_part_of_a_name_stay(text: str) -> None:
    found = [row.cells["speaker"] for row in turns_in(text.splitlines(), Path("t.txt"))]
    assert found == [line.partition(":")[0] for line in text.splitlines()]


def test_what_stands_before_the_first_turn_is_nobodys() -> None:
    (before, first) = turns_in(["", "Session 3", "May", "", "T: a"], Path("t.txt"))
    assert (before.line, dict(before.cells)) == (2, {"speaker": "", "text": "Session 3\nMay"})
    assert (first.line, first.cells["speaker"]) == (5, "T")


def test_known_speakers_alone_begin_turns() -> None:
    text = "Human: a\n\nNote: b\n\nAssistant: c"
    assert spoken_turns(text, frozenset({"Human", "Assistant"})) == [("Human", "a\n\nNote: b"), ("Assistant", "c")]
    assert spoken_turns("Once upon a time.", frozenset({"Human"})) == []
