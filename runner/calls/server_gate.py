"""Limits around one server, shared by every role that talks to it.

Concurrency, requests and tokens a minute, tries and waits live here and nowhere else. A server that says 429 is left alone
for its own Retry-After, at least for doubling waits, and then asked with fewer calls at once; a fault (5xx, timeout, dropped
connection) is tried again a bounded number of times with jitter; a server that does nothing but fail stops the run.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cbtrun.calls.server_terms import ServerLimits, ServerTerms, strictest
from cbtrun.contract.digests import derive_seed
from cbtrun.contract.models import Reply
from cbtrun.errors import AccessRefused, ModelError, RateLimited, ServerFault, ServerTrouble, StopRun

T = TypeVar("T")


@dataclass(frozen=True)
class Clock:
    """Time as the gate sees it; a test brings its own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass
class ServerGate:
    """The way to one server."""

    name: str
    limits: ServerLimits
    clock: Clock = field(default_factory=Clock)
    kept: set[ServerLimits] = field(default_factory=set)
    """Limits that `limits` keeps to."""
    jitter: random.Random = field(default_factory=lambda: random.Random(0))
    """Chance in the waits: the study's own."""
    _allowed: float = 0.0
    _under_way: int = 0
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    _answered: int = 0
    """Calls that were answered so far."""
    _faults_in_a_row: int = 0
    _refused_in_a_row: int = 0
    _limited_in_a_row: int = 0
    _closed_until: float = 0.0
    _slowed_at: float = float("-inf")
    _started: deque[float] = field(default_factory=deque)
    _spent: deque[tuple[float, int]] = field(default_factory=deque)
    _spent_tokens: int = 0

    def __post_init__(self) -> None:
        """All the concurrency there is, until the server says otherwise."""
        self._allowed = float(self.limits.concurrency)
        self.kept.add(self.limits)

    @property
    def under_way(self) -> int:
        """Calls that hold a place now."""
        return self._under_way

    @property
    def allowed(self) -> int:
        """Calls that may be under way at once now."""
        return max(1, int(self._allowed))

    @property
    def load(self) -> int:
        """Calls under way and calls that wait for a place."""
        return self._under_way + len(self._waiting)

    def tighten(self, limits: ServerLimits) -> None:
        """Keep to another model's limits too."""
        self.kept.add(limits)
        self.limits = strictest(self.limits, limits)
        self._allowed = min(self._allowed, float(self.limits.concurrency))

    async def call(self, ask: Callable[[], Awaitable[T]], on_retry: Callable[[ServerTrouble], None]) -> T:
        """The reply, or what else was asked for, after as many tries as the limits allow. on_retry is told what each failed try met.

        Raises ModelError when the tries are used up or asking again cannot help, StopRun when the server is down, puts
        us off for too long, or refuses everything.
        """
        faults, began, answered = 0, self.clock.now(), self._answered
        while True:
            wait = 0.0
            await self._enter()
            asked = self.clock.now()
            try:
                reply = await ask()
                self._note_success(reply)
                return reply
            except RateLimited as limit:
                on_retry(limit)
                self._slow_down(limit, began, asked)
            except ServerFault as fault:
                on_retry(fault)
                faults += 1
                wait = self._note_fault(fault, faults, answered)
            except StopRun:
                raise
            except ModelError as refusal:
                self._note_refusal(refusal)
                raise
            finally:
                self._leave()  # a call that waits holds no place
            if wait:
                await self.clock.sleep(wait)

    async def _enter(self) -> None:
        """Take a place, first come first served, and wait until the server may be asked."""
        if self._waiting or self._under_way >= self.allowed:
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self._leave()
                raise
        else:
            self._under_way += 1
        try:
            while (wait := self._pause()) > 0:
                await self.clock.sleep(wait)
        except BaseException:
            self._leave()
            raise
        if self.limits.requests_per_minute is not None:
            self._started.append(self.clock.now())

    def _leave(self) -> None:
        self._under_way -= 1
        while self._waiting and self._under_way < self.allowed:
            place = self._waiting.popleft()
            if not place.done():
                self._under_way += 1
                place.set_result(None)

    def _pause(self) -> float:
        """Seconds to wait before the next request may start."""
        limits, now = self.limits, self.clock.now()
        pauses = [self._closed_until - now]
        if limits.requests_per_minute is not None:
            pauses.append(self._requests_pause(now, limits.requests_per_minute))
        if limits.tokens_per_minute is not None:
            pauses.append(self._tokens_pause(now, limits.tokens_per_minute))
        return max(pauses)

    def _requests_pause(self, now: float, most: float) -> float:
        while self._started and now - self._started[0] >= 60:
            self._started.popleft()
        return 60 - (now - self._started[0]) if len(self._started) >= max(1, most) else 0.0

    def _tokens_pause(self, now: float, most: float) -> float:
        """Calls under way are taken to use what the calls of the last minute used on average."""
        while self._spent and now - self._spent[0][0] >= 60:
            self._spent_tokens -= self._spent.popleft()[1]
        if not self._spent:
            return 0.0
        expected = self._spent_tokens / len(self._spent) * (self._under_way - 1)
        if self._spent_tokens + expected < most:
            return 0.0
        return max(60 - (now - self._spent[0][0]), 0.05) if self._spent_tokens >= most else 0.05

    def _slow_down(self, limit: RateLimited, began: float, asked: float) -> None:
        """Wait as long as the server says, and no less than we would of ourselves: `Retry-After: 0` is no leave to storm it."""
        now = self.clock.now()
        if asked > self._slowed_at:  # a burst of 429 for calls sent together is one sign, not fifty
            self._slowed_at = now
            self._limited_in_a_row += 1
            self._allowed = max(1.0, self._allowed / 2)
        wait = max(limit.retry_after or 0.0, self.wait_after(max(1, self._limited_in_a_row)))
        self._closed_until = max(self._closed_until, now + wait)
        if now + wait - began > self.limits.patience_seconds:
            raise StopRun(
                f"{self.name} asks us to wait and is asked no more (429 for {now - began:.0f} s, {wait:.0f} s to go; limits "
                f"give it {self.limits.patience_seconds:.0f} s): {limit}. Run the same command again later"
            ) from None

    def _note_fault(self, fault: ServerFault, faults: int, answered_before: int) -> float:
        """Seconds to wait before the next try. Raises when there is none."""
        self._faults_in_a_row += 1
        if faults < self.limits.tries:
            return self.wait_after(faults)
        if self._faults_in_a_row >= self.limits.faults_to_stop and self._answered == answered_before:
            raise StopRun(
                f"{self.name} seems to be down: {self._faults_in_a_row} tries in a row failed; last: {fault}. What is done "
                "is kept; run the same command again when the server answers"
            ) from None
        raise ModelError(f"{self.name}: {faults} tries failed; last: {fault}") from None

    def _note_refusal(self, refusal: ModelError) -> None:
        self._refused_in_a_row += 1
        self._faults_in_a_row = 0
        if not self._answered and self._refused_in_a_row >= self.limits.faults_to_stop:
            raise AccessRefused(f"{self.name} refused every call so far; last: {refusal}") from None

    def _note_success(self, reply: object) -> None:
        self._answered += 1
        self._faults_in_a_row = self._refused_in_a_row = self._limited_in_a_row = 0
        if self.limits.tokens_per_minute is not None and isinstance(reply, Reply):
            tokens = reply.tokens_in + reply.tokens_out
            self._spent.append((self.clock.now(), tokens))
            self._spent_tokens += tokens
        if self._allowed < self.limits.concurrency:
            self._allowed = min(float(self.limits.concurrency), self._allowed + 1 / self._allowed)

    def wait_after(self, tries: int) -> float:
        """Seconds to wait after so many tries: a random part of the doubled wait, so that calls that failed together do not come together again."""
        longest = min(self.limits.longest_wait_seconds, self.limits.first_wait_seconds * 2.0 ** min(tries - 1, 30))
        return longest * self.jitter.uniform(0.5, 1.0)


@dataclass
class ServerState:
    """What a run knows of one server."""

    left_out: str = ""
    """Why no call goes there now; empty while calls do."""
    faults: int = 0
    """In a row, over all calls."""
    look_at: float = 0.0
    looks: int = 0


@dataclass
class ServerGates:
    """The way to each server of a run."""

    seed: int = 0
    """The study's: waits are drawn from it, and from no other chance."""
    states: dict[str, ServerState] = field(default_factory=dict)
    """Server -> what is known of it, of those that share a model with others."""
    _gates: dict[str, ServerGate] = field(default_factory=dict)

    def gate(self, terms: ServerTerms) -> ServerGate:
        """The gate of a server; models on one server share it and are held to the strictest of their limits."""
        gate = self._gates.get(terms.server)
        if gate is None:
            jitter = random.Random(derive_seed(self.seed, terms.server))
            gate = self._gates[terms.server] = ServerGate(terms.server, terms.limits, jitter=jitter)
        elif terms.limits not in gate.kept:
            gate.tighten(terms.limits)
        return gate
