"""How many sessions are under way, by what their models' memory holds."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from cbtrun.contract.models import ContextRoom, Reply
from cbtrun.contract.records import Speaker
from cbtrun.plugins.dialogue.admission import BEFORE_KNOWN, USED, Admission, Seat

SIDES: tuple[Speaker, Speaker] = ("therapist", "patient")
START, TURN, TURNS = 200, 94, 20  # tokens, tokens, turns
WHOLE = 2 * (START + (TURN + 6) * TURNS)
"""Tokens of a whole session: two dialogues, each of all turns."""


async def held(room: ContextRoom, sessions: int, *, knows: int | None = None) -> tuple[int, int, list[int]]:
    """Hold sessions turn by turn. Gives the most at once, the most tokens at once, and where each was at half-time.

    knows: what the room turns out to hold after the first turn.
    """
    admission = Admission(TURNS, TURN)
    seats: list[Seat] = []
    most, tokens, taken = 0, 0, 0
    half: list[int] = []

    async def session() -> None:
        nonlocal most, tokens, taken, half
        async with admission.seat(dict.fromkeys(SIDES, room), dict.fromkeys(SIDES, START)) as seat:
            seats.append(seat)
            for turn in range(TURNS):
                most, tokens = max(most, len(seats)), max(tokens, sum(one.tokens(room) for one in seats))
                await asyncio.sleep(0)
                room.tokens = room.tokens or knows
                size = START + (TURN + 6) * turn
                admission.took(seat, SIDES[turn % 2], Reply("x", tokens_in=size, tokens_out=TURN))
                taken += 1
                if taken == sessions * TURNS // 2:
                    half = sorted(one.turns for one in seats)
            seats.remove(seat)

    await asyncio.gather(*(session() for _ in range(sessions)))
    return most, tokens, half


def test_all_start_at_once_where_all_fit() -> None:
    assert asyncio.run(held(ContextRoom(int(30 * WHOLE / USED) + 1), 30))[0] == 30


def test_no_more_tokens_are_under_way_than_the_room_holds() -> None:
    room = 10 * WHOLE
    most, tokens, _ = asyncio.run(held(ContextRoom(room), 60))
    assert tokens <= room
    assert most > 10  # those that have just begun are small: more are under way than would fit at their full length


def test_where_not_all_fit_sessions_are_spread_over_their_length() -> None:
    _, _, half = asyncio.run(held(ContextRoom(10 * WHOLE), 60))
    assert half[0] < TURNS / 4
    assert half[-1] > TURNS * 3 / 4


def test_a_session_that_does_not_fit_even_alone_is_held_alone() -> None:
    assert asyncio.run(held(ContextRoom(100), 3))[0] == 1


def test_few_start_before_a_room_is_known_and_the_rest_once_it_is() -> None:
    most, _, _ = asyncio.run(held(ContextRoom(), 30, knows=40 * WHOLE))
    assert most == 30
    assert asyncio.run(held(ContextRoom(), 30))[0] == BEFORE_KNOWN


def test_models_without_memory_let_everybody_in() -> None:
    async def all_in() -> int:
        admission = Admission(TURNS, TURN)
        async with AsyncExitStack() as stack:
            for _ in range(500):
                await stack.enter_async_context(admission.seat({}, {}))
            return 500

    assert asyncio.run(asyncio.wait_for(all_in(), 20)) == 500


def test_a_full_room_keeps_nobody_from_another() -> None:
    async def other() -> str:
        admission = Admission(TURNS, TURN)
        full, free = ContextRoom(WHOLE), ContextRoom(WHOLE)
        async with admission.seat({"therapist": full, "patient": full}, dict.fromkeys(SIDES, START)):
            waiting = asyncio.ensure_future(_enter(admission, full))
            await asyncio.sleep(0)
            await asyncio.wait_for(_enter(admission, free), 20)
            held_back = not waiting.done()
        await asyncio.wait_for(waiting, 20)
        return "held back" if held_back else "let in"

    assert asyncio.run(other()) == "held back"


async def _enter(admission: Admission, room: ContextRoom) -> None:
    async with admission.seat(dict.fromkeys(SIDES, room), dict.fromkeys(SIDES, START)):
        pass
