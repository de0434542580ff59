"""Real transcripts come in by a mapping, and nothing about them is guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.records import Session
from cbtrun.errors import SpecError
from cbtrun.plugins.transcripts.session_rows import read_sessions
from cbtrun.tables.transcript_table import read_table

CSV = """id,n,who,words,quality,topic
a,2,client,"Not so good, ""really"".",good,sleep
a,1,therapist,How are you?,good,sleep
b,1,therapist,You must try harder.,poor,work
b,2,client,I do try.,poor,work
"""
COLUMNS = {"session": "id", "order": "n", "speaker": "who", "text": "words"}
OPTIONS: dict[str, Any] = {
    "columns": COLUMNS,
    "speakers": {"therapist": "therapist", "client": "patient"},
    "factors": {"quality": "quality"},
    "labels": {"topic": "topic"},
}


def imported(path: Path, text: str, **options: Any) -> list[Session]:
    path.write_text(text, encoding="utf-8")
    sessions, problems = read_sessions(read_table(path), OPTIONS | options, path)
    if problems:
        raise SpecError(problems)
    return sessions


def test_rows_become_sessions_in_order_with_factors_and_labels(tmp_path: Path) -> None:
    first, second = imported(tmp_path / "t.csv", CSV)
    assert [turn.text for turn in first.turns] == ["How are you?", 'Not so good, "really".']
    assert [turn.speaker for turn in first.turns] == ["therapist", "patient"]
    assert first.factors == {"quality": "good"}
    assert second.labels == {"topic": "work"}
    assert (first.id, first.ended, first.arm) == ("a", "imported", None)


def test_json_lines_with_messages_are_read_and_system_messages_can_be_skipped(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}]
    messages.append({"role": "assistant", "content": "hello"})
    row = {"sid": "x", "messages": messages}
    speakers = {"assistant": "therapist", "user": "patient", "system": "skip"}
    columns = {"session": "sid", "messages": "messages"}
    (session,) = imported(
        tmp_path / "t.jsonl", json.dumps(row) + "\n", columns=columns, speakers=speakers, factors={}, labels={}
    )
    assert [(turn.speaker, turn.text) for turn in session.turns] == [("patient", "hi"), ("therapist", "hello")]


def test_parquet_gives_the_same_sessions_as_csv(tmp_path: Path) -> None:
    import pandas

    from_csv = imported(tmp_path / "t.csv", CSV)
    pandas.read_csv(tmp_path / "t.csv").to_parquet(tmp_path / "t.parquet")
    from_parquet, problems = read_sessions(read_table(tmp_path / "t.parquet"), OPTIONS, tmp_path / "t.parquet")
    assert problems == []
    assert from_parquet == from_csv


def test_an_empty_turn_is_left_out_and_counted(tmp_path: Path) -> None:
    session, _ = imported(tmp_path / "t.csv", CSV.replace("How are you?", "  ") + "a,3,therapist,Go on.,good,sleep\n")
    assert [turn.text for turn in session.turns] == ['Not so good, "really".', "Go on."]
    assert session.flags == ("empty turns left out: 1",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("a,1,therapist", "a,1,client"), "t.csv:2: session 'a': the therapist never speaks"),
        (
            ("b,2,client", "b,2,friend"),
            "t.csv:5: session 'b': unknown speaker 'friend'; `speakers` maps: therapist, cl",
        ),
        (("b,2,client", "b,two,client"), "t.csv:5: session 'b': 'two' in column 'n' is not a number"),
        (("I do try.,poor", "I do try.,good"), "t.csv:4: session 'b': column 'quality' has several values: poor, good"),
        (("I do try.,poor,work", "I do try."), "t.csv:5: this row does not have the header's 6 columns"),
    ],
)
def test_what_does_not_fit_is_reported_with_its_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        imported(tmp_path / "t.csv", CSV.replace(*change))
    assert message in str(caught.value)


def test_every_session_that_does_not_fit_is_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        imported(tmp_path / "t.csv", CSV.replace("client", "friend"))
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "id,n\n", "holds no rows"),
        ("t.rtf", "hello", "unknown kind of file '.rtf'"),
        ("t.jsonl", "{]\n", "t.jsonl:1:2: not JSON"),
        ("t.jsonl", "[1]\n", "each line must be a JSON object"),
        ("t.parquet", "not parquet", "not valid Parquet"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SpecError, match=message.replace("[", r"\[")):
        read_table(path)


def test_a_file_that_is_not_utf8_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("id\nM\xfcller\n".encode("latin-1"))
    with pytest.raises(SpecError, match="not UTF-8"):
        read_table(path)


def test_a_problem_shows_no_sentence_that_somebody_said(tmp_path: Path) -> None:
    swapped = COLUMNS | {"speaker": "words", "text": "who"}
    with pytest.raises(SpecError) as refused:
        imported(tmp_path / "t.csv", CSV, columns=swapped)
    assert "try harder" not in str(refused.value)
    assert "unknown speaker a text of 20 characters; `speakers` maps: therapist, client" in str(refused.value)
