"""The gate of a server: limits held, waits by the server's own word, a place given back while waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import pytest

from cbtrun.calls.server_gate import Clock, ServerGate, ServerGates
from cbtrun.calls.server_terms import ServerLimits, ServerTerms
from cbtrun.contract.models import Reply
from cbtrun.errors import ModelError, RateLimited, ServerFault, ServerTrouble, StopRun


@dataclass
class FakeTime:
    """A clock that jumps to the next wake-up whenever everybody waits."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)
    _sleepers: list[tuple[float, asyncio.Future[None]]] = field(default_factory=list)

    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, wake))
        await wake

    async def run(self, *work: Awaitable[Any]) -> list[Any]:
        together = asyncio.gather(*work, return_exceptions=True)
        while not together.done():
            for _ in range(50):
                await asyncio.sleep(0)
            if self._sleepers:
                self._sleepers.sort(key=lambda one: one[0])
                when, wake = self._sleepers.pop(0)
                self.now = max(self.now, when)
                if not wake.done():
                    wake.set_result(None)
        return list(await together)


@dataclass
class Server:
    """Answers after `seconds`; meets `troubles` first. Notes when each try started and how many were under way."""

    time: FakeTime
    seconds: float = 1.0
    troubles: list[Exception] = field(default_factory=list)
    started: list[float] = field(default_factory=list)
    under_way: int = 0
    most: int = 0
    tokens: int = 10

    async def ask(self) -> Reply:
        self.started.append(self.time.now)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.troubles:
                raise self.troubles.pop(0)
            await self.time.sleep(self.seconds)
            return Reply("ok", self.tokens, 0)
        finally:
            self.under_way -= 1


def calls(server: Server, count: int, **limits: Any) -> tuple[list[Any], ServerGate, list[ServerTrouble]]:
    """`count` calls at once through a gate."""
    gate = ServerGate("the server", ServerLimits(**limits), server.time.clock())
    seen: list[ServerTrouble] = []

    async def all_of_them() -> list[Any]:
        return await server.time.run(*(gate.call(server.ask, seen.append) for _ in range(count)))

    return asyncio.run(all_of_them()), gate, seen


def test_no_more_calls_than_allowed_are_under_way_and_all_are_answered() -> None:
    server = Server(FakeTime())
    results, gate, _ = calls(server, 20, concurrency=3)
    assert [reply.text for reply in results] == ["ok"] * 20
    assert server.most == 3
    assert gate.under_way == 0


def test_a_call_that_waits_after_a_fault_holds_no_place() -> None:
    server = Server(FakeTime(), troubles=[ServerFault("500")])
    calls(server, 2, concurrency=1, first_wait_seconds=100)
    failed, other, again = server.started
    assert other == failed
    assert again > other + 1


def test_requests_a_minute_are_held_in_every_minute() -> None:
    server = Server(FakeTime(), seconds=0.1)
    calls(server, 25, concurrency=50, requests_per_minute=10)
    for start in server.started:
        assert sum(start <= other < start + 60 for other in server.started) <= 10


def test_tokens_a_minute_are_held_by_what_replies_took() -> None:
    server = Server(FakeTime(), seconds=0.1, tokens=100)
    calls(server, 30, concurrency=2, tokens_per_minute=1000)
    for start in server.started:
        assert sum(start <= other < start + 59 for other in server.started) <= 12


def test_retry_after_is_waited_for_by_every_call() -> None:
    server = Server(FakeTime(), troubles=[RateLimited("429", retry_after=30.0)])
    results, _, seen = calls(server, 3, concurrency=1)
    assert server.started == [1000.0, 1030.0, 1031.0, 1032.0]
    assert len(results) == 3
    assert [str(one) for one in seen] == ["429"]


def test_429_halves_what_may_be_under_way_once_for_a_burst_and_recovers() -> None:
    server = Server(FakeTime(), troubles=[RateLimited("429", retry_after=5.0) for _ in range(8)])
    results, gate, _ = calls(server, 8, concurrency=8)
    assert len(results) == 8
    assert 4 <= gate.allowed < 8


def test_429_does_not_use_up_the_tries_of_a_call() -> None:
    server = Server(FakeTime(), troubles=[RateLimited("429", retry_after=1.0) for _ in range(10)])
    (reply,), _, seen = calls(server, 1, tries=1)
    assert reply.text == "ok"
    assert len(seen) == 10


def test_waits_without_retry_after_double() -> None:
    time = FakeTime()
    calls(Server(time, troubles=[RateLimited("429") for _ in range(5)]), 1, first_wait_seconds=2)
    waits = [wait for wait in time.waits if wait != 1.0]
    assert all(2**n <= wait <= 2 ** (n + 1) for n, wait in enumerate(waits))


@pytest.mark.parametrize("retry_after", [0.0, 0.001, -5.0])
def test_a_server_that_says_to_ask_again_at_once_is_asked_after_our_own_doubled_waits(retry_after: float) -> None:
    server = Server(FakeTime(), troubles=[RateLimited("429", retry_after) for _ in range(10_000)])
    results, _, seen = calls(server, 2, patience_seconds=900, first_wait_seconds=1, longest_wait_seconds=60)
    assert all(isinstance(one, StopRun) for one in results)
    assert len(server.started) == len(seen) < 100
    assert server.started[-1] - server.started[0] > 450


def test_a_waiting_time_that_the_server_names_is_kept_where_it_is_longer_than_ours() -> None:
    server = Server(FakeTime(), troubles=[RateLimited("429", 7.0) for _ in range(3)])
    calls(server, 1, first_wait_seconds=1)
    assert server.started == [1000.0, 1007.0, 1014.0, 1021.0]


def test_limits_of_the_same_values_are_kept_once() -> None:
    gates = ServerGates()
    for _ in range(1000):
        gate = gates.gate(ServerTerms("https://a", ServerLimits(concurrency=8)))
    assert len(gate.kept) == 1


def test_a_server_that_puts_off_for_longer_than_our_patience_stops_the_run() -> None:
    server = Server(FakeTime(), troubles=[RateLimited("come back tomorrow", retry_after=86400.0)])
    (error,), _, _ = calls(server, 1, patience_seconds=900)
    assert isinstance(error, StopRun)
    assert "86400 s to go" in str(error)
    assert "come back tomorrow" in str(error)


def test_a_call_out_of_tries_fails_alone_while_others_are_answered() -> None:
    time = FakeTime()
    bad = Server(time, troubles=[ServerFault("always") for _ in range(3)])
    good = Server(time, seconds=0.01)
    gate = ServerGate("the server", ServerLimits(tries=3, faults_to_stop=3), time.clock())

    async def both() -> list[Any]:
        async def steady() -> None:
            for _ in range(1000):
                await gate.call(good.ask, lambda _: None)

        return await time.run(gate.call(bad.ask, lambda _: None), steady())

    error, _ = asyncio.run(both())
    assert isinstance(error, ModelError)
    assert not isinstance(error, StopRun)
    assert str(error) == "the server: 3 tries failed; last: always"


def test_a_server_that_answers_nobody_is_down() -> None:
    server = Server(FakeTime(), troubles=[ServerFault("502") for _ in range(1000)])
    results, _, _ = calls(server, 50, concurrency=10, tries=6, faults_to_stop=20)
    assert any(isinstance(one, StopRun) and "seems to be down" in str(one) for one in results)


@pytest.mark.parametrize("when", ["waiting for a place", "under way"])
def test_a_cancelled_call_gives_its_place_back(when: str) -> None:
    time = FakeTime()
    server = Server(time)

    async def cancel() -> tuple[ServerGate, list[Any]]:
        gate = ServerGate("the server", ServerLimits(concurrency=1), time.clock())
        first = asyncio.ensure_future(gate.call(server.ask, lambda _: None))
        second = asyncio.ensure_future(gate.call(server.ask, lambda _: None))
        for _ in range(5):
            await asyncio.sleep(0)
        (second if when == "waiting for a place" else first).cancel()
        return gate, await time.run(first, second, gate.call(server.ask, lambda _: None))

    gate, results = asyncio.run(cancel())
    assert sum(isinstance(one, Reply) for one in results) == 2
    assert gate.under_way == 0


def test_models_on_one_server_share_its_gate_and_the_strictest_limits() -> None:
    gates = ServerGates()
    one = gates.gate(ServerTerms("https://a", ServerLimits(concurrency=8, requests_per_minute=60)))
    other = gates.gate(ServerTerms("https://a", ServerLimits(concurrency=20, requests_per_minute=30)))
    assert one is other
    assert (one.limits.concurrency, one.limits.requests_per_minute, one.allowed) == (8, 30, 8)
    assert gates.gate(ServerTerms("https://b")) is not one
