"""Several engines of one model: a session is kept in the memory of one, and let in by what that one holds."""

from __future__ import annotations

import asyncio

from cbtrun.contract.models import ContextRoom
from cbtrun.contract.workplace import SEATED
from cbtrun.plugins.dialogue.admission import Admission


def rooms_of(*tokens: int) -> ContextRoom:
    replicas = [ContextRoom(one) for one in tokens]
    return ContextRoom(sum(tokens), replicas)


def test_new_sessions_go_where_there_is_most_room() -> None:
    async def hold() -> list[int]:
        whole, admission, places = rooms_of(1000, 1500), Admission(2, 10.0), list[int]()

        async def session() -> None:
            async with admission.seat({"therapist": whole, "patient": whole}, {"therapist": 50, "patient": 50}) as seat:
                assert seat.rooms["therapist"] is seat.rooms["patient"]  # both sides of one model in the same
                assert SEATED.get() is seat.rooms
                places.append(whole.replicas.index(seat.rooms["therapist"]))
                await asyncio.sleep(0.01)

        await asyncio.gather(*(session() for _ in range(8)))
        return places

    places = asyncio.run(hold())
    assert places[0] == 1
    assert 0 in places
    assert places.count(1) > places.count(0)


def test_each_engine_takes_what_it_holds_and_no_more() -> None:
    async def hold() -> int:
        whole, admission = rooms_of(300, 300), Admission(2, 10.0)
        under_way, most = [0, 0], [0, 0]

        async def session() -> None:
            async with admission.seat({"therapist": whole}, {"therapist": 100}) as seat:
                place = whole.replicas.index(seat.rooms["therapist"])
                under_way[place] += 1
                most[place] = max(most[place], under_way[place])
                await asyncio.sleep(0.001)
                under_way[place] -= 1

        await asyncio.gather(*(session() for _ in range(20)))
        return max(most)

    assert asyncio.run(hold()) <= 2  # 300 tokens hold two that grow to 132


def test_a_session_whose_engine_is_lost_is_kept_in_another() -> None:
    async def hold() -> bool:
        whole, admission = rooms_of(1000, 1000), Admission(4, 10.0)
        async with admission.seat({"therapist": whole}, {"therapist": 50}) as seat:
            whole.replicas.remove(seat.rooms["therapist"])
            async with admission.seat({"therapist": whole}, {"therapist": 50}):
                return seat.rooms["therapist"] is whole.replicas[0]

    assert asyncio.run(hold())


def test_sessions_that_began_before_an_engine_was_open_are_settled_once_it_is() -> None:
    async def hold() -> bool:
        whole, admission = ContextRoom(), Admission(4, 10.0)
        async with admission.seat({"therapist": whole}, {"therapist": 50}) as seat:
            assert seat.rooms["therapist"] is whole
            whole.replicas.append(ContextRoom(1000))
            whole.tokens = 1000
            async with admission.seat({"therapist": whole}, {"therapist": 50}):
                return seat.rooms["therapist"] is whole.replicas[0]

    assert asyncio.run(hold())
