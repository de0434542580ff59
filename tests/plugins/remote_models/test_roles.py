"""A conversation reaches servers whose templates refuse some roles: in the roles that they take, told once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from cbtrun.contract.models import ChatMessage, Draw, Reply, Request, TellsRoles
from cbtrun.errors import CbtrunError, ServerFault
from cbtrun.plugins.remote_models.roles import BEGIN, shapes
from tests.helpers.chat_calls import model_at
from tests.helpers.raw_server import RawServer, whole

SYSTEM, USER, ASSISTANT = (ChatMessage(role, role) for role in ("system", "user", "assistant"))  # type: ignore[arg-type]
ANSWER = json.dumps({"choices": [{"message": {"content": "Hello."}, "finish_reason": "stop"}]}).encode()


def roles(messages: Any) -> str:
    """First letters: `sua` for system, user, assistant."""
    return "".join((one["role"] if isinstance(one, dict) else one.role)[0] for one in messages)


@pytest.mark.parametrize(
    ("given", "tried"),
    [
        ([SYSTEM], ["su", "u"]),
        ([SYSTEM, ASSISTANT, USER], ["suau", "uau"]),
        ([SYSTEM, USER], ["su", "u"]),
        ([SYSTEM, USER, USER, SYSTEM], ["suus", "su", "u"]),
        ([USER], ["u"]),
        ([ASSISTANT, USER], ["uau"]),
    ],
)
def test_each_shape_begins_with_the_user_and_loses_no_word(given: list[ChatMessage], tried: list[str]) -> None:
    found = [messages for _, messages in shapes(given)]
    assert [roles(messages) for messages in found] == tried
    for messages in found:
        together = " ".join(one.content for one in messages)
        assert all(together.count(one.content) >= given.count(one) for one in given)


def test_the_models_first_word_is_asked_for() -> None:
    (_, first), *_ = shapes([SYSTEM])
    assert first == (SYSTEM, ChatMessage("user", BEGIN))


class Strict:
    """A server whose template wants user and assistant in turn, with a system message at the head or with none."""

    def __init__(self, words: str, *, status: str = "400 Bad Request", heads: tuple[str, ...] = ("", "s")) -> None:
        self.words, self.status, self.heads = words, status, heads
        self.raw = RawServer(self._answer)
        self.asked: list[str] = []

    def _answer(self, number: int) -> bytes:
        self.asked.append(roles(json.loads(self.raw.bodies[number - 1])["messages"]))
        head, _, said = self.asked[-1].partition("u")
        if head in self.heads and "uu" not in f"u{said}" and "aa" not in said and "s" not in said:
            return whole(ANSWER, "200 OK", "Connection: close")
        return whole(json.dumps({"error": {"message": self.words}}).encode(), self.status, "Connection: close")


def asked(strict: Strict, *conversations: list[ChatMessage]) -> list[Reply | str]:
    """What comes of conversations, one after the other."""

    async def ask() -> list[Reply | str]:
        found: list[Reply | str] = []
        async with strict.raw as server:
            model = model_at(server.url)
            for messages in conversations:
                try:
                    found.append(await model.reply(Request(tuple(messages), Draw("therapist", "p"))))
                except (CbtrunError, ServerFault) as error:
                    found.append(str(error))
            await model.close()
        return found

    return asyncio.run(ask())


MISTRAL = "Conversation roles must alternate user/assistant/user/assistant/..."
GEMMA = "System role not supported"


def test_a_therapist_opens_to_a_server_that_wants_the_user_first() -> None:
    strict = Strict(MISTRAL)
    assert all(isinstance(one, Reply) for one in asked(strict, [SYSTEM], [SYSTEM, ASSISTANT, USER]))
    assert strict.asked == ["su", "suau"]


def test_a_server_without_a_system_role_is_found_out_once_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    strict = Strict(GEMMA, heads=("",))
    assert all(isinstance(one, Reply) for one in asked(strict, [SYSTEM, USER], [SYSTEM, ASSISTANT, USER]))
    assert strict.asked == ["su", "u", "uau"]
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "refuses the roles of a conversation (400: System role not supported)" in told
    assert "the system message is sent at the head of the first user message" in told


def test_messages_of_one_role_in_a_row_are_joined_where_they_are_refused() -> None:
    strict = Strict(f"Error rendering prompt: {MISTRAL}", status="500 Oops")
    assert all(isinstance(one, Reply) for one in asked(strict, [SYSTEM, USER, USER]))
    assert strict.asked == ["suu", "su"]


def test_another_refusal_is_not_asked_around() -> None:
    strict = Strict("temperature must be 1", heads=())
    assert "temperature must be 1" in str(asked(strict, [SYSTEM, USER])[0])
    assert strict.asked == ["su"]


def test_a_server_that_takes_no_shape_says_what_it_refused_first() -> None:
    strict = Strict(MISTRAL, heads=("x",))
    assert MISTRAL in str(asked(strict, [SYSTEM, USER])[0])
    assert strict.asked == ["su", "u"]


@pytest.mark.parametrize(
    ("words", "heads", "calls", "told"),
    [
        ("", None, 1, "takes a system message, and a conversation that the assistant opens"),
        (MISTRAL, ("", "s"), 2, "takes a system message; not a conversation that the assistant opens"),
        (GEMMA, ("",), 3, "takes no system message: it is sent at the head of the first user message"),
    ],
)
def test_the_doctor_finds_out_which_roles_a_server_takes(
    words: str, heads: tuple[str, ...] | None, calls: int, told: str
) -> None:
    strict = Strict(words, heads=heads or ())
    if heads is None:
        strict.raw.answer = lambda _: whole(ANSWER, "200 OK", "Connection: close")

    async def ask() -> str:
        async with strict.raw as server:
            model = model_at(server.url)
            try:
                assert isinstance(model, TellsRoles)
                return await model.roles()
            finally:
                await model.close()

    assert asyncio.run(ask()).startswith(told)
    assert len(strict.raw.bodies) == calls
    assert all(json.loads(body)["max_tokens"] == 16 for body in strict.raw.bodies)
