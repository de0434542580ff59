"""What is no text is never taken for something said, and null is absent wherever it stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.records import Session, Transcript
from cbtrun.errors import SpecError
from cbtrun.plugins.corpus.mapping import mapped
from cbtrun.plugins.transcripts.said import NotText, said_in
from cbtrun.plugins.transcripts.session_rows import read_sessions
from cbtrun.tables.transcript_table import read_table

SPEAKERS = {"T": "therapist", "C": "patient", "assistant": "therapist", "user": "patient", "system": "skip"}
TURNS = {"session": "s", "speaker": "who", "text": "said"}
MESSAGES = {"session": "id", "messages": "messages"}


def read(folder: Path, rows: list[dict[str, Any]], columns: dict[str, str], **options: Any) -> list[Session]:
    path = folder / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {"columns": columns, "speakers": SPEAKERS, "factors": {}, "labels": {}} | options
    sessions, problems = read_sessions(read_table(path), given, path)
    if problems:
        raise SpecError(problems)
    return sessions


def corpus(folder: Path, rows: list[dict[str, Any]], columns: dict[str, str]) -> list[Transcript]:
    path = folder / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = mapped(read_table(path), {"columns": columns, "speakers": SPEAKERS, "system": "Be kind."}, path)
    if found.problems:
        raise SpecError(found.problems)
    return found.transcripts


def talk(*contents: Any) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[at % 2], "content": content} for at, content in enumerate(contents)]


def turn(who: str, said: Any, **more: Any) -> dict[str, Any]:
    return {"s": "a", "who": who, "said": said} | more


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "null"),
        (float("nan"), "null"),
        (["a", "b"], "a list"),
        ({"text": "hi"}, "an object"),
        (True, "of type bool"),
        ("NaN", "null or NaN written as text"),
        ("[{'role': 'user', 'content': 'hi'}\n {'role': 'x'}]", "a list or object written as text"),
        ('{"text": "hi"}', "a list or object written as text"),
        ([{"type": "image_url", "image_url": {"url": "x"}}], "a content part of type 'image_url'"),
    ],
)
def test_what_is_no_text_is_an_error_with_its_row_or_dropped_and_counted(
    tmp_path: Path, content: Any, what: str
) -> None:
    rows = [turn("T", "Hello"), turn("C", "Hi"), turn("T", content)]
    with pytest.raises(SpecError, match=r"t\.jsonl:3: session 'a': what the therapist says is") as refused:
        read(tmp_path, rows, TURNS)
    assert f"is {what}, not a text" in str(refused.value)
    (session,) = read(tmp_path, rows, TURNS, not_text="drop")
    assert [one.text for one in session.turns] == ["Hello", "Hi"]
    assert session.flags == (f"turns that are {what} left out: 1",)


def test_content_parts_give_their_texts_and_thoughts_are_taken_out_and_counted(tmp_path: Path) -> None:
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    messages = talk([{"type": "text", "text": "Bad."}], parts, "Yes.", "<think>what now</think>Go on.")
    (session,) = read(tmp_path, [{"id": "a", "messages": messages}], MESSAGES)
    assert [one.text for one in session.turns] == ["Bad.", "One.\nTwo.", "Yes.", "Go on."]
    assert session.flags == ("thoughts taken out of turns: 2",)


def test_a_lone_closing_mark_and_a_thought_that_is_cut_off_are_taken_out() -> None:
    assert said_in("so be it</think> Hello") == ("Hello", 1)
    assert said_in("Hello <think>and then") == ("Hello", 1)
    with pytest.raises(NotText, match="a list"):
        said_in([[{"type": "text", "text": "x"}]])


@pytest.mark.parametrize(("lacks", "what"), [("who", "no speaker in column 'who'"), ("s", "no session in column 's'"),
                                             ("said", "is null, not a text"), ("n", "nothing in column 'n'")])  # fmt: skip
def test_a_row_without_a_key_is_a_problem_with_its_line(tmp_path: Path, lacks: str, what: str) -> None:
    rows = [turn("T", "Hello", n=1), turn("C", "Hi", n=2)]
    del rows[1][lacks]
    with pytest.raises(SpecError) as refused:
        read(tmp_path, rows, TURNS | {"order": "n"})
    assert "t.jsonl:2: " in str(refused.value)
    assert what in str(refused.value)


def test_a_session_without_an_id_goes_by_the_number_of_its_row(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": "a", "messages": talk("x", "y")}, {"messages": talk("p", "q")}]
    assert [one.id for one in read(tmp_path, [*rows, {"id": None, "messages": talk("u", "v")}], MESSAGES)] == [
        *("a", "2", "3")
    ]
    assert [one.id for one in read(tmp_path, rows[1:], {"messages": "messages"})] == ["1"]


def test_a_null_persona_label_or_factor_is_absent(tmp_path: Path) -> None:
    rows = [{"id": "a", "messages": talk("x", "y"), "p": None, "f": None, "l": float("nan")}]
    (session,) = read(tmp_path, rows, MESSAGES | {"persona": "p"}, factors={"f": "f"}, labels={"l": "l"})
    assert (session.persona, session.factors, session.labels) == (None, {}, {})
    (blank,) = read(tmp_path, [rows[0] | {"p": " "}], MESSAGES | {"persona": "p"})
    assert blank.persona is None


def test_an_utterance_that_two_annotators_have_names_the_column_to_choose_by(tmp_path: Path) -> None:
    rows = [turn(who, said, n=n, by=by) for by in (3, 5) for n, (who, said) in enumerate((("T", "Hello"), ("C", "Hm")))]
    for columns in (TURNS, TURNS | {"order": "n"}):
        with pytest.raises(SpecError, match=r't\.jsonl:3: .*first on line 1; they differ in by: .* `where: {by: "3"}`'):
            read(tmp_path, rows, columns)
        (session,) = read(tmp_path, rows, columns, where={"by": 3})
        assert [one.text for one in session.turns] == ["Hello", "Hm"]


def test_somebody_may_say_the_same_thing_twice(tmp_path: Path) -> None:
    rows = [turn("T", "Go on."), turn("C", "Hm"), turn("C", "Hm"), turn("T", "Go on."), turn("C", "Hm")]
    (session,) = read(tmp_path, [row | {"at": at} for at, row in enumerate(rows)], TURNS)
    assert len(session.turns) == 5


def test_messages_of_sharegpt_and_of_other_keys_are_read(tmp_path: Path) -> None:
    said = [{"from": "user", "value": "Bad."}, {"from": "assistant", "value": "Since when?"}]
    other = [{"wer": "user", "was": "Bad."}, {"wer": "assistant", "was": "Since when?"}]
    (first,) = read(tmp_path, [{"id": "a", "messages": said}], MESSAGES)
    (second,) = read(tmp_path, [{"id": "a", "messages": other}], MESSAGES | {"role": "wer", "content": "was"})
    assert first.turns == second.turns
    with pytest.raises(SpecError, match=r"no key role or from or speaker; it has: wer, was\. Name"):
        read(tmp_path, [{"id": "a", "messages": other}], MESSAGES)


def test_a_row_of_question_and_answer_is_a_session(tmp_path: Path) -> None:
    rows = [{"Context": "I am low.", "Response": "Since when?"}, {"Context": "I am low.", "Response": "Why?"}]
    first, second = corpus(tmp_path, rows, {"question": "Context", "answer": "Response"})
    assert (first.id, second.id) == ("1", "2")
    assert [one.role for one in first.messages] == ["system", "patient", "therapist"]
    with pytest.raises(SpecError, match="the question of line 1 stands here again; leave `session`"):
        corpus(
            tmp_path, [row | {"q": 1} for row in rows], {"transcript": "q", "question": "Context", "answer": "Response"}
        )


def test_a_preference_set_is_read_with_texts_messages_and_an_explicit_prompt(tmp_path: Path) -> None:
    chosen, rejected = talk("I am low.", "Since when?"), talk("I am low.", [{"type": "text", "text": "Cheer up."}])
    rows: list[dict[str, Any]] = [{"chosen": chosen, "rejected": rejected}, {"chosen": chosen, "rejected": "Cheer up."}]
    rows += [{"chosen": chosen, "rejected": None}]
    pairs = corpus(tmp_path, rows, {"messages": "chosen", "rejected": "rejected"})
    assert [one.rejected for one in pairs] == ["Cheer up.", "Cheer up.", None]
    parted = [{"prompt": chosen[:1], "chosen": chosen[1:], "rejected": rejected[1:]}]
    (pair,) = corpus(tmp_path, parted, {"question": "prompt", "answer": "chosen", "rejected": "rejected"})
    assert (pair.messages[1:], pair.rejected) == (pairs[0].messages[1:], "Cheer up.")
    with pytest.raises(SpecError, match="column 'rejected' holds an object, not a text"):
        corpus(tmp_path, [rows[0] | {"rejected": {"a": 1}}], {"messages": "chosen", "rejected": "rejected"})
