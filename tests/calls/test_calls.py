"""Every reply goes through the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cbtrun.calls.calls import CallDesk, OpenModels, Tally
from cbtrun.calls.keys import call_key
from cbtrun.contract.models import ChatMessage, Draw, Reply, Request
from cbtrun.errors import ModelError
from cbtrun.journal.journal import Journal

REQUEST = Request((ChatMessage("user", "hello"),), Draw("patient", "persona-1"))


class Counting:
    """A model that says how often it was asked, and with which seed."""

    def __init__(self, identity: Mapping[str, Any] | None = None) -> None:
        self.identity: Mapping[str, Any] = identity or {"using": "counting"}
        self.asked = 0
        self.closed = 0

    async def reply(self, request: Request) -> Reply:
        self.asked += 1
        await asyncio.sleep(0)
        return Reply(f"{self.asked}:{request.seed}")

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "j.sqlite") as opened:
        yield opened


def ask(journal: Journal, model: Any, *requests: Request, offline: bool = False) -> list[str]:
    async def all_of_them() -> list[str]:
        desk = CallDesk(journal, seed=1, stage="sessions", tally=Tally(), offline=offline)
        async with OpenModels(desk, lambda _: model).use("m") as calls:
            return [reply.text for reply in await asyncio.gather(*map(calls.reply, requests))]

    return asyncio.run(all_of_them())


def test_the_same_request_is_asked_once_and_then_replayed(journal: Journal) -> None:
    model = Counting()
    assert ask(journal, model, REQUEST) == ask(journal, model, REQUEST)
    assert model.asked == 1


def test_equal_requests_in_flight_share_one_call(journal: Journal) -> None:
    model = Counting()
    first, second = ask(journal, model, REQUEST, REQUEST)
    assert first == second
    assert model.asked == 1


def test_two_draws_with_the_same_words_are_two_calls(journal: Journal) -> None:
    model = Counting()
    ask(journal, model, REQUEST, replace(REQUEST, draw=Draw("patient", "persona-2")))
    assert model.asked == 2


def test_a_new_attempt_is_a_new_call(journal: Journal) -> None:
    model = Counting()
    ask(journal, model, REQUEST, replace(REQUEST, draw=replace(REQUEST.draw, attempt=2)))
    assert model.asked == 2


def test_no_model_hears_for_whom_its_calls_are_counted_and_no_key_knows(journal: Journal) -> None:
    heard = []

    class Listening(Counting):
        async def reply(self, request: Request) -> Reply:
            heard.append(repr(request))
            return await super().reply(request)

    model = Listening()
    ask(
        journal, model, replace(REQUEST, label="secret-arm", about="secret-person"), replace(REQUEST, label="other-arm")
    )
    assert model.asked == 1
    assert "secret" not in heard[0]
    assert "arm" not in heard[0]


def test_another_identity_is_another_call(journal: Journal) -> None:
    ask(journal, Counting(), REQUEST)
    other = Counting({"using": "counting", "adapter": "abc"})
    ask(journal, other, REQUEST)
    assert other.asked == 1


def test_each_draw_has_a_seed_of_its_own_that_does_not_change(journal: Journal) -> None:
    texts = ask(journal, Counting(), REQUEST, replace(REQUEST, draw=Draw("patient", "persona-2")))
    seeds = [text.split(":")[1] for text in texts]
    assert seeds[0] != seeds[1]
    assert call_key("i", REQUEST, 1) == call_key("i", REQUEST, 1) != call_key("i", REQUEST, 2)


def test_an_offline_run_makes_no_call(journal: Journal) -> None:
    model = Counting()
    with pytest.raises(ModelError, match="offline"):
        ask(journal, model, REQUEST, offline=True)
    assert model.asked == 0


def test_a_model_is_opened_once_and_closed_with_its_last_user(journal: Journal) -> None:
    model = Counting()
    ask(journal, model, REQUEST)
    assert model.closed == 1


def test_a_refused_call_is_noted_and_not_replayed(journal: Journal) -> None:
    class Refusing(Counting):
        async def reply(self, request: Request) -> Reply:
            self.asked += 1
            if self.asked == 1:
                raise ModelError("content refused")
            return Reply("now")

    model = Refusing()
    with pytest.raises(ModelError, match="content refused"):
        ask(journal, model, REQUEST)
    assert ask(journal, model, REQUEST) == ["now"]


def test_a_lone_surrogate_in_a_reply_does_no_harm(journal: Journal) -> None:
    class Broken(Counting):
        async def reply(self, request: Request) -> Reply:
            return Reply("half a \ud83d pair")

    assert ask(journal, Broken(), REQUEST) == ask(journal, Broken(), REQUEST) == ["half a ? pair"]


def test_a_call_that_was_sent_is_kept_even_if_the_run_is_stopped_meanwhile(journal: Journal) -> None:
    class Slow(Counting):
        async def reply(self, request: Request) -> Reply:
            await asyncio.sleep(0.05)
            return await super().reply(request)

    async def stopped(model: Slow) -> None:
        desk = CallDesk(journal, seed=1, stage="sessions", tally=Tally())
        async with OpenModels(desk, lambda _: model).use("m") as calls:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(calls.reply(REQUEST), 0.01)

    model = Slow()
    asyncio.run(stopped(model))
    assert model.asked == 1
    assert ask(journal, model, REQUEST) == ask(journal, model, REQUEST)
    assert model.asked == 1
