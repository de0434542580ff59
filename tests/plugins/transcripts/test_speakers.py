"""Who speaks is said by name, by number, or by the order in which they begin; nobody is guessed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.records import Session
from cbtrun.errors import SpecError
from cbtrun.plugins.transcripts.left_out import left_out
from cbtrun.plugins.transcripts.session_rows import read_sessions
from cbtrun.tables.transcript_table import read_table

TURNS = {"session": "s", "speaker": "who", "text": "said"}
ORDER = ["patient", "therapist"]


def read(
    folder: Path, rows: list[dict[str, Any]], columns: dict[str, str], speakers: Any, **options: Any
) -> tuple[list[Session], dict[str, int]]:
    path = folder / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    besides: Counter[str] = Counter()
    given = {"columns": columns, "speakers": speakers, "factors": {}, "labels": {}} | options
    sessions, problems = read_sessions(read_table(path), given, path, besides)
    if problems:
        raise SpecError(problems)
    return sessions, left_out(sessions, besides)


def turns(*said: tuple[Any, str], session: str = "a") -> list[dict[str, Any]]:
    return [{"s": session, "who": who, "said": text} for who, text in said]


def told(session: Session) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in session.turns]


def test_the_first_to_speak_in_each_conversation_is_the_first_of_the_list(tmp_path: Path) -> None:
    rows = [
        *turns(("Ann", "Low."), ("Dr. Roe", "Why?"), ("Ann", "Work.")),
        *turns(("7", "Bad."), ("9", "Oh."), session="b"),
    ]
    sessions, _ = read(tmp_path, rows, TURNS, ORDER)
    assert told(sessions[0]) == [("patient", "Low."), ("therapist", "Why?"), ("patient", "Work.")]
    assert told(sessions[1]) == [("patient", "Bad."), ("therapist", "Oh.")]


def test_turns_alternate_where_nobody_is_named(tmp_path: Path) -> None:
    columns = {"session": "s", "text": "said"}
    sessions, _ = read(tmp_path, turns(("", "Low."), ("", "Why?"), ("", "Work.")), columns, ORDER)
    assert [turn.speaker for turn in sessions[0].turns] == ["patient", "therapist", "patient"]
    sessions, _ = read(tmp_path, [{"d": ["Low.", "Why?"]}], {"messages": "d"}, ORDER)
    assert told(sessions[0]) == [("patient", "Low."), ("therapist", "Why?")]


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (turns(("a", "1"), ("b", "2"), ("c", "3")), "t.jsonl:3: session 'a': 'c' is speaker 3 of this conversation"),
        (
            turns(("a", "1"), (None, "2")),
            "t.jsonl:2: session 'a': no speaker is named, and others of its turns have one",
        ),
    ],
)
def test_a_third_speaker_and_a_nameless_one_are_errors(tmp_path: Path, rows: list[dict[str, Any]], what: str) -> None:
    with pytest.raises(SpecError) as refused:
        read(tmp_path, rows, TURNS, ORDER)
    assert what in str(refused.value)


def test_a_number_is_a_speaker_in_each_of_its_spellings(tmp_path: Path) -> None:
    sessions, _ = read(
        tmp_path, turns((0, "Low."), (1.0, "Why?"), ("0", "Work.")), TURNS, {"0": "patient", "1": "therapist"}
    )
    assert [turn.speaker for turn in sessions[0].turns] == ["patient", "therapist", "patient"]


def test_a_turn_of_nobody_is_an_error_or_left_out_and_counted(tmp_path: Path) -> None:
    rows, speakers = turns((None, "Title"), ("C", "Low."), ("T", "Why?")), {"T": "therapist", "C": "patient"}
    with pytest.raises(SpecError, match=r"t\.jsonl:1: session 'a': no speaker in column 'who'; `\"\": skip`"):
        read(tmp_path, rows, TURNS, speakers)
    sessions, counts = read(tmp_path, rows, TURNS, {**speakers, "": "skip"})
    assert told(sessions[0]) == [("patient", "Low."), ("therapist", "Why?")]
    assert counts == {"turns of skipped speakers left out": 1}
    assert sessions[0].flags == ("turns of skipped speakers left out: 1",)


def test_a_word_that_is_no_speaker_is_part_of_what_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("T: Two things.\nHomework: read.\nC: Fine.\n")
    given: dict[str, Any] = {
        "columns": {"session": "file", "speaker": "speaker", "text": "text"},
        "speakers": {"T": "therapist", "C": "patient", "Homework": "text"},
    } | {"factors": {}, "labels": {}}
    (session,), problems = read_sessions(read_table(tmp_path / "t.txt"), given, tmp_path / "t.txt")
    assert (problems, told(session)) == (
        [],
        [("therapist", "Two things.\nHomework: read."), ("patient", "Fine.")],
    )


def test_what_nobody_is_named_for_may_go_on_with_the_turn_before(tmp_path: Path) -> None:
    speakers = {"T": "therapist", "C": "patient", "": "text"}
    rows = turns(("T", "How"), (None, "are you?"), ("C", "Low."))
    (session,), _ = read(tmp_path, rows, TURNS, speakers)
    assert told(session) == [("therapist", "How are you?"), ("patient", "Low.")]
    with pytest.raises(SpecError, match="nobody spoke before it"):
        read(tmp_path, rows[1:], TURNS, speakers)
    with pytest.raises(SpecError, match="is no text, or that is none"):
        read(tmp_path, [rows[0] | {"said": None}, *rows[1:]], TURNS, speakers)


MESSAGES = {"session": "id", "messages": "m"}
NAMES = {"T": "therapist", "C": "patient"}


@pytest.mark.parametrize(
    "cell",
    [
        "C: Low.\nT: Why? Note: now.",
        "\n\nC: Low.\n\nT: Why? Note: now.",
        json.dumps([{"role": "C", "content": "Low."}, {"role": "T", "content": "Why? Note: now."}]),
    ],
)
def test_a_conversation_may_stand_in_a_cell(tmp_path: Path, cell: str) -> None:
    (session,), _ = read(tmp_path, [{"id": 1, "m": cell}], MESSAGES, NAMES)
    assert told(session) == [("patient", "Low."), ("therapist", "Why? Note: now.")]


def test_in_a_cell_the_words_of_the_study_begin_turns_and_a_forgotten_one_is_told(tmp_path: Path) -> None:
    (session,), _ = read(tmp_path, [{"id": 1, "m": "C: Low.\nT: Steps:\nFirst: rise.\nThen: eat."}], MESSAGES, NAMES)
    assert session.turns[-1].text == "Steps:\nFirst: rise.\nThen: eat."
    with pytest.raises(SpecError, match="unknown speaker 'X'"):
        read(tmp_path, [{"id": 1, "m": "C: Low.\nT: Why?\nX: a\nC: b\nT: c\nX: d"}], MESSAGES, NAMES)
    with pytest.raises(SpecError, match="or text in which speakers begin turns"):
        read(tmp_path, [{"id": 1, "m": "Once upon a time."}], MESSAGES, NAMES)


def test_what_where_leaves_out_and_sessions_of_which_nothing_is_left_are_counted(tmp_path: Path) -> None:
    rows = [
        {"q": "Low.", "a": "Why?", "k": "x"},
        {"q": "Bad.", "a": None, "k": "x"},
        {"q": "So.", "a": "Hm.", "k": "y"},
    ]
    columns = {"question": "q", "answer": "a"}
    with pytest.raises(SpecError, match="what the therapist says is null"):
        read(tmp_path, rows, columns, {})
    sessions, counts = read(tmp_path, rows, columns, {}, where={"k": "x"}, not_text="drop")
    assert [one.id for one in sessions] == ["1"]
    assert counts == {
        "rows left out by `where`": 1,
        "sessions left out in which the therapist says nothing": 1,
    }


def test_a_session_in_two_files_is_an_error(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("s,who,said\n1,T,Hi\n1,C,Low\n")
    given = {"columns": TURNS, "speakers": NAMES, "factors": {}, "labels": {}}
    _, problems = read_sessions(read_table(tmp_path / "*.csv"), given, tmp_path)
    assert [one.what.partition(",")[0] for one in problems] == ["session '1' stands in another file too"] * 2
    assert str(problems[0]).startswith(str(tmp_path / "b.csv") + ":2: ")
