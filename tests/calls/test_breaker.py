"""A refusal that cannot succeed is met once, not once for every session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cbtrun.calls import breaker as breaker_module
from cbtrun.calls.breaker import Breaker, NotAsked, kind_of
from cbtrun.errors import AccessRefused, ModelError, Refusal

Ask = Callable[[int], Awaitable[str]]


def called(ask: Ask, calls: int = 30, most: int = 20) -> tuple[list[int], list[object], Breaker]:
    """Calls that reached the server, and what each call came to."""
    breaker, reached = Breaker(most), []

    async def one(number: int) -> str:
        async def asked() -> str:
            reached.append(number)
            await asyncio.sleep(0)
            return await ask(number)

        return await breaker.call(asked)

    async def all_of_them() -> list[object]:
        return list(await asyncio.gather(*map(one, range(calls)), return_exceptions=True))

    return reached, asyncio.run(all_of_them()), breaker


def refusing(error: Callable[[int], Exception]) -> Ask:
    async def ask(number: int) -> str:
        raise error(number)

    return ask


def test_what_no_other_call_could_do_better_is_asked_once() -> None:
    reached, ended, _ = called(refusing(lambda _: Refusal("422: no such rubric")))
    assert reached == [0]
    assert {str(one) for one in ended} == {"422: no such rubric"}
    assert sum(isinstance(one, NotAsked) for one in ended) == 29


def test_what_may_be_about_one_session_is_asked_three_times() -> None:
    reached, ended, _ = called(refusing(lambda number: Refusal(f"422 (request {number}): no", sure=False)))
    assert reached == [0, 1, 2]
    assert len(ended) == 30


def test_any_refusal_of_one_kind_breaks_after_as_many_as_the_limits_say() -> None:
    reached, _, _ = called(refusing(lambda _: ModelError("400: odd")), calls=100)
    assert len(reached) == 20


def test_refusals_of_several_kinds_break_nothing() -> None:
    reached, _, _ = called(refusing(lambda number: ModelError("odd" if number % 2 else "even")), calls=100)
    assert len(reached) == 100


def test_a_model_that_answered_once_is_asked_for_every_session() -> None:
    async def ask(number: int) -> str:
        if number:
            raise Refusal("404: no such model")
        return "yes"

    reached, ended, _ = called(ask)
    assert len(reached) == 30
    assert ended[0] == "yes"


def test_the_first_call_goes_alone_and_the_others_together() -> None:
    under_way, seen = 0, []

    async def ask(number: int) -> str:
        nonlocal under_way
        under_way += 1
        seen.append(under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return "yes"

    reached, _, _ = called(ask)
    assert len(reached) == 30
    assert seen == [1, *range(1, 30)]


def test_a_slow_first_answer_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker_module, "LONGEST_ALONE_SECONDS", 0.01)
    seen = []

    async def ask(number: int) -> str:
        seen.append(number)
        while len(seen) < 30:
            await asyncio.sleep(0.001)
        return "yes"

    reached, ended, _ = called(ask)
    assert len(reached) == 30
    assert set(ended) == {"yes"}


def test_a_refused_key_is_asked_once_too() -> None:
    reached, ended, _ = called(refusing(lambda _: AccessRefused("401")))
    assert reached == [0]
    assert all(isinstance(one, AccessRefused) for one in ended)


def test_numbers_and_ids_make_no_other_kind() -> None:
    assert kind_of("429 after 3 s (req_8f3ac0de91)") == kind_of("429 after 12 s (req_77fa90be12)")
    assert kind_of("no such model 'a'") != kind_of("no such model 'b'")
