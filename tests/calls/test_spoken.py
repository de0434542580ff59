"""No model's thinking, refusal or broken half is a turn, whatever server or plugin it comes from."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from cbtrun.calls.calls import CallDesk, OpenModels, Tally
from cbtrun.calls.spoken import NotSpokenError
from cbtrun.contract.models import Reply, Request
from cbtrun.errors import ModelError
from cbtrun.journal.journal import Journal
from tests.helpers.chat_calls import request


@dataclass
class Says:
    """A model in this process that gives its replies one after the other."""

    replies: list[Reply]
    identity: Mapping[str, Any] = field(default_factory=lambda: {"plugin": "says"})

    async def reply(self, request: Request) -> Reply:
        """The next."""
        return self.replies.pop(0)

    async def close(self) -> None:
        """Nothing to give back."""


def asked(folder: Path, *replies: Reply, of: Request | None = None, offline: bool = False) -> Reply:
    """What is heard of the first reply, with the journal in `folder`."""

    async def ask() -> Reply:
        with Journal(folder / "journal.sqlite") as journal:
            desk = CallDesk(journal, 1, "sessions", Tally(), offline=offline)
            async with OpenModels(desk, lambda _: Says([*replies])).use("m") as calls:
                return await calls.reply(of or request())

    return asyncio.run(ask())


def test_thinking_in_the_text_is_kept_beside_it_and_counted(tmp_path: Path) -> None:
    heard = asked(tmp_path, Reply("<think>She is low.</think>\nHello.", 3, 9))
    assert (heard.text, heard.thinking, heard.tokens_out) == ("Hello.", "She is low.", 9)
    assert asked(tmp_path, offline=True) == heard
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        assert connection.execute("SELECT text, thinking FROM calls").fetchall() == [("Hello.", "She is low.")]


def test_a_reply_without_thinking_is_kept_to_the_letter(tmp_path: Path) -> None:
    assert asked(tmp_path, Reply("  Hello. \n")).text == "  Hello. \n"


def test_an_answer_in_json_may_quote_a_mark(tmp_path: Path) -> None:
    answer = '{"evidence": "they wrote </think> here"}'
    assert asked(tmp_path, Reply(answer), of=request(schema={"type": "object"})).text == answer
    thought = Reply(f'<think>{{"score": 1}}?</think>{answer.replace("</think>", "it")}')
    assert asked(tmp_path, thought, of=request("another", schema={"type": "object"})).text.startswith('{"evidence"')


@pytest.mark.parametrize(
    "thought",
    [
        "[THINK]Low.[/THINK]",
        "Low.</think>",
        "<|channel|>analysis<|message|>Low.<|end|><|start|>assistant<|channel|>final<|message|>",
    ],
)
def test_thinking_before_a_structured_answer_is_taken_out_too(tmp_path: Path, thought: str) -> None:
    heard = asked(tmp_path, Reply(f'{thought}{{"score": 1}}'), of=request(schema={"type": "object"}))
    assert (heard.text, heard.thinking) == ('{"score": 1}', "Low.")


def test_a_list_is_a_structured_answer(tmp_path: Path) -> None:
    assert asked(tmp_path, Reply('["</think>"]'), of=request(schema={"type": "array"})).text == '["</think>"]'


def test_thinking_that_an_earlier_version_kept_in_the_text_is_not_heard(tmp_path: Path) -> None:
    asked(tmp_path, Reply("Hello."))
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.execute("UPDATE calls SET text = 'She is low.</think>Hi.'")
    assert asked(tmp_path, offline=True).text == "Hi."


@pytest.mark.parametrize(
    "reply",
    [
        Reply("<think>She is", 3, 96, "length"),
        Reply("", 3, 96, "length", thinking="She is"),
        Reply("", 3, 96, "length"),
        Reply("<think>She is", 3, 96, "stop"),
    ],
    ids=["in the text", "beside it", "not shown", "at the bound"],
)
def test_a_reply_that_is_thinking_alone_says_what_to_raise(tmp_path: Path, reply: Reply) -> None:
    asked_for = request(max_tokens=96)
    with pytest.raises(NotSpokenError, match=r"96 tokens.*raise sessions.max_tokens.patient \(now 96\)"):
        asked(tmp_path, reply, of=asked_for)
    with pytest.raises(NotSpokenError):  # it is paid for: asked again, it is the same
        asked(tmp_path, of=asked_for, offline=True)
    assert asked(tmp_path, Reply("Hello."), of=replace(asked_for, max_tokens=960)).text == "Hello."


def test_a_model_that_thought_and_stopped_of_itself_has_said_nothing(tmp_path: Path) -> None:
    assert asked(tmp_path, Reply("<think>She is low.</think>", 3, 9), of=request(max_tokens=96)).text == ""


@pytest.mark.parametrize("finish", ["content_filter", "filter", "refusal"])
def test_a_reply_that_was_withheld_is_no_turn_and_is_asked_for_anew(tmp_path: Path, finish: str) -> None:
    with pytest.raises(ModelError, match=f"withheld its reply as patient .*{finish}"):
        asked(tmp_path, Reply("I can't help", finish=finish))
    assert asked(tmp_path, Reply("Hello.")).text == "Hello."


def test_half_a_reply_that_the_server_broke_off_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"broke the reply off \(finish_reason: error\)"):
        asked(tmp_path, Reply("What went", finish="error"))
