"""Preference sets as TRL has them: strings and messages, with and without their prompt; both sides answer the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.records import Transcript
from cbtrun.errors import SpecError
from cbtrun.plugins.corpus.mapping import mapped
from cbtrun.tables.transcript_table import read_table

SPEAKERS = {"assistant": "therapist", "user": "patient", "system": "skip", "Human": "patient", "Assistant": "therapist"}
IMPLICIT = {"messages": "chosen", "rejected": "rejected"}
EXPLICIT = {"question": "prompt", "answer": "chosen", "rejected": "rejected"}


def corpus(
    folder: Path, row: dict[str, Any], columns: dict[str, str], **options: Any
) -> tuple[list[Transcript], dict[str, int]]:
    path = folder / "t.jsonl"
    path.write_text(json.dumps(row) + "\n")
    found = mapped(read_table(path), {"columns": columns, "speakers": SPEAKERS, "system": ""} | options, path)
    if found.problems:
        raise SpecError(found.problems)
    return found.transcripts, found.left_out


def talk(*said: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[at % 2], "content": one} for at, one in enumerate(said)]


def text(*said: str) -> str:
    return "".join(f"\n\n{('Human', 'Assistant')[at % 2]}: {one}" for at, one in enumerate(said))


LONG = ("Low.", "Since when?", "May.")


@pytest.mark.parametrize(
    ("row", "columns", "before"),
    [
        ({"chosen": talk("Low.", "Why?"), "rejected": talk("Low.", "Cheer up.")}, IMPLICIT, ("Low.",)),
        ({"chosen": text(*LONG, "Why?"), "rejected": text(*LONG, "Cheer up.")}, IMPLICIT, LONG),
        ({"prompt": "Low.", "chosen": "Why?", "rejected": "Cheer up."}, EXPLICIT, ("Low.",)),
        (
            {"prompt": talk(*LONG), "chosen": [talk("", "Why?")[1]], "rejected": [talk("", "Cheer up.")[1]]},
            EXPLICIT,
            LONG,
        ),
        (
            {"prompt": "Low.", "chosen": talk("Low.", "Why?"), "rejected": talk("Low.", "Cheer up.")},
            EXPLICIT,
            ("Low.",),
        ),
        (
            {"chosen": json.dumps(talk("Low.", "Why?")), "rejected": json.dumps(talk("Low.", "Cheer up."))},
            IMPLICIT,
            ("Low.",),
        ),
        ({"prompt": "Low.", "chosen": json.dumps(talk("Low.", "Why?")), "rejected": "Cheer up."}, EXPLICIT, ("Low.",)),
        ({"prompt": text(*LONG, ""), "chosen": " Why?", "rejected": " Cheer up."}, EXPLICIT, LONG),
        (
            {"chosen": text("Low.", "Steps:\n\nFirst: rise."), "rejected": text("Low.", "Cheer up.")},
            IMPLICIT,
            ("Low.",),
        ),
    ],
)
def test_pairs_of_each_form_give_what_was_said_before_and_both_answers(
    tmp_path: Path, row: dict[str, Any], columns: dict[str, str], before: tuple[str, ...]
) -> None:
    (pair,), counts = corpus(tmp_path, row, columns)
    assert [one.content for one in pair.messages[:-1]] == list(before)
    assert [one.role for one in pair.messages[-2:]] == ["patient", "therapist"]
    assert (pair.messages[-1].content.split(" ")[0] in ("Why?", "Steps:\n\nFirst:"), pair.rejected) == (
        True,
        "Cheer up.",
    )
    assert counts == {}


def test_answers_to_different_things_make_no_pair(tmp_path: Path) -> None:
    row = {"chosen": talk("Low.", "Why?"), "rejected": talk("Happy.", "Cheer up.")}
    with pytest.raises(SpecError, match=r"t\.jsonl:1: session '1': column 'rejected' says something else"):
        corpus(tmp_path, row, IMPLICIT)
    (one,), counts = corpus(tmp_path, row, IMPLICIT, not_text="drop")
    assert one.rejected is None
    assert counts == {
        "rejected turns left out that answer something else": 1,
        "transcripts without a rejected turn, which make no pair": 1,
    }


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"chosen": talk("Low.", "Why?", "So."), "rejected": "Cheer up."}, "it ends with the patient"),
        ({"chosen": talk("Low.", "Why?"), "rejected": talk("Low.")}, "does not end with a turn of the therapist"),
        ({"chosen": talk("Low.", "Why?"), "rejected": {"a": 1}}, "column 'rejected' holds an object, not a text"),
    ],
)
def test_a_pair_that_cannot_be_trained_on_is_told_before_it_is(tmp_path: Path, row: dict[str, Any], what: str) -> None:
    with pytest.raises(SpecError, match=what):
        corpus(tmp_path, row, IMPLICIT)


def test_a_row_without_a_rejected_answer_is_counted(tmp_path: Path) -> None:
    (one,), counts = corpus(tmp_path, {"chosen": talk("Low.", "Why?"), "rejected": None}, IMPLICIT)
    assert (one.rejected, counts) == (None, {"transcripts without a rejected turn, which make no pair": 1})
