"""Several engines asked as one: sessions keep theirs, what is lost is asked elsewhere, and not for ever."""

from __future__ import annotations

import asyncio

import pytest

from cbtrun.cluster.replicas import OpenedLately
from cbtrun.contract.workplace import MOVED, SEATED, SentFolder, shared_out
from cbtrun.errors import ModelError, StopRun
from tests.helpers.fake_cluster import FakeCluster


def test_calls_of_one_session_go_to_one_engine() -> None:
    async def ask() -> list[set[int]]:
        pool = FakeCluster(3).replicas()
        await asyncio.gather(*(pool.make({"call": 0}, f"s{number}") for number in range(3)))
        said = [
            {(await pool.make({"call": turn}, session))["by"] for turn in range(5)} for session in ("s0", "s1", "s2")
        ]
        await pool.close()
        return said

    assert all(len(one) == 1 for one in asyncio.run(ask()))


def test_a_session_goes_where_its_dialogue_is_kept() -> None:
    async def ask() -> set[int]:
        pool = FakeCluster(3).replicas()
        await pool.make({"call": 0})
        await asyncio.sleep(0.01)
        SEATED.set({"therapist": pool.there[2].room})
        said = {(await pool.make({"call": turn}, str(turn)))["by"] for turn in range(4)}
        await pool.close()
        return said

    assert asyncio.run(ask()) == {2}


def test_a_call_whose_engine_is_lost_is_asked_on_another_and_told_of() -> None:
    async def ask() -> tuple[dict[str, object], list[str], int]:
        cluster, moved = FakeCluster(2), list[str]()
        cluster.dying = {0}
        pool = cluster.replicas()
        MOVED.set(moved.append)
        said = [await pool.make({"call": number}, f"s{number}") for number in range(4)]
        await pool.close()
        return said[0], moved, cluster.losses["fake"]

    said, moved, losses = asyncio.run(ask())
    assert said["by"] != 0
    assert moved == ["fake: it died"]
    assert losses == 1  # however many calls it had


def test_where_no_engine_is_left_the_run_stops_with_its_reason() -> None:
    async def ask() -> None:
        cluster = FakeCluster(1, again=2)
        cluster.dying = {*range(100)}
        await cluster.replicas().make({"call": 1})

    with pytest.raises(
        StopRun, match=r"no engine is left on the cluster and 2 were opened again within an hour; .*it died"
    ):
        asyncio.run(ask())


def test_what_refuses_to_open_is_told_to_each_who_asks_and_not_tried_again() -> None:
    async def ask() -> int:
        cluster = FakeCluster(1)
        cluster.refuses = ModelError("no such weights")
        pool = cluster.replicas()
        for _ in range(2):
            with pytest.raises(ModelError, match="no such weights"):
                await pool.make({"call": 1})
        return len(cluster.started)

    assert asyncio.run(ask()) == 1


def test_an_adapter_is_there_before_it_is_asked_for() -> None:
    async def ask() -> list[str]:
        cluster = FakeCluster(1)
        pool = cluster.replicas()
        await pool.make({"call": 1}, "", {"abc": SentFolder("/a", ("x.json",))})
        await pool.close()
        return cluster.started[0].asked

    assert asyncio.run(ask()) == ["hold abc", "1"]


def test_replicas_beyond_the_share_are_let_go_of() -> None:
    async def ask() -> tuple[int, int]:
        cluster = FakeCluster(3)
        pool = cluster.replicas()
        await pool.make({"call": 1})
        await asyncio.sleep(0.01)
        before, cluster.wanted = len(pool.there), 1
        pool.shrink()
        after = len(pool.there)
        assert pool.room.tokens == 100
        await pool.close()
        return before, after

    assert asyncio.run(ask()) == (3, 1)


def test_so_many_engines_an_hour_are_opened_again() -> None:
    now = [0.0]
    lately = OpenedLately(2, lambda: now[0])
    assert [lately.may_open() for _ in range(3)] == [True, True, False]
    now[0] = 3601.0
    assert lately.may_open()


@pytest.mark.parametrize(
    ("work", "seats", "found"),
    [
        ({"a": 60, "b": 40}, 8, {"a": 5, "b": 3}),
        ({"a": 99, "b": 1}, 4, {"a": 3, "b": 1}),
        ({"a": 1, "b": 1, "c": 1}, 2, {"a": 1, "b": 1}),
        ({"a": 0, "b": 5}, 3, {"b": 3}),
        ({}, 3, {}),
    ],
)
def test_engines_are_shared_out_by_what_is_asked_of_them(
    work: dict[str, int], seats: int, found: dict[str, int]
) -> None:
    assert shared_out(work, seats) == found
