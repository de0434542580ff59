"""What annotators' rows repeat is found, whole or in part; the column to choose by is theirs, whatever it is called."""

from __future__ import annotations

from typing import Any

import pytest

from cbtrun.errors import SpecError
from cbtrun.plugins.transcripts.repeated_utterances import refuse_repeats
from cbtrun.tables.row import Row

SAID = [("T", "How was it?"), ("C", "Bad."), ("T", "Mm."), ("C", "Work."), ("T", "Since when?")]
COLUMNS = {"speaker": "who", "text": "said"}


def row(at: int, **more: Any) -> dict[str, Any]:
    return {"who": SAID[at][0], "said": SAID[at][1], "n": at, "code": str(at % 2), **more}


def refusal(rows: list[dict[str, Any]], columns: dict[str, str] = COLUMNS) -> str:
    with pytest.raises(SpecError) as refused:
        refuse_repeats("s", [Row(at, cells) for at, cells in enumerate(rows, start=2)], columns, "t.csv")
    return str(refused.value)


BLOCKS = [row(at, by=who) for who in ("p", "q") for at in range(5)]
BESIDE = [row(at, by=who) for at in range(5) for who in ("p", "q")]
PART = [*[row(at, by="p") for at in range(5)], *[row(at, by="q") for at in range(4)]]
SOME = [row(at, by=who) for at in range(5) for who in ("pq" if at < 3 else "p")]


@pytest.mark.parametrize(
    ("rows", "line"),
    [(BLOCKS, "t.csv:7:"), (BESIDE, "t.csv:3:"), (PART, "t.csv:7:"), (SOME, "t.csv:3:")],
    ids=["in blocks", "beside each other", "a part in a block", "some beside each other"],
)
def test_repeats_are_found_without_an_order_and_the_column_is_named(rows: list[dict[str, Any]], line: str) -> None:
    said = refusal([{**one, "n": at} for at, one in enumerate(rows)])
    assert said.startswith(line)
    assert '`where: {by: "p"}`' in said


def test_of_several_columns_the_annotators_is_named_first() -> None:
    rows = [
        row(at, mark=f"{at}{who}", seconds=at * 3 + turn, zz=who) for at in range(5) for turn, who in enumerate("pqr")
    ]
    said = refusal(rows, COLUMNS | {"order": "n"})
    assert 'first on line 2; they differ in zz, mark, seconds: choose one, e.g. `where: {zz: "p"}`' in said


def test_a_session_that_stands_twice_is_an_error() -> None:
    assert "t.csv:7: session 's': everything is said again from here on, first on line 2; take one" in refusal(
        [{"who": who, "said": text} for who, text in SAID + SAID]
    )


@pytest.mark.parametrize(
    "said",
    [
        [("T", "Mm."), ("C", "Yes."), ("T", "Mm."), ("C", "Yes."), ("T", "So."), ("C", "No.")],
        [("T", "Mm."), ("T", "Mm."), ("C", "Yes."), ("C", "Yes."), ("T", "Why?"), ("C", "No."), ("T", "So.")],
    ],
)
def test_people_may_say_the_same_again(said: list[tuple[str, str]]) -> None:
    rows = [{"who": who, "said": text, "topic": "ab"[at % 2], "at": at} for at, (who, text) in enumerate(said)]
    refuse_repeats("s", [Row(at, cells) for at, cells in enumerate(rows, start=2)], COLUMNS, "t.csv")
