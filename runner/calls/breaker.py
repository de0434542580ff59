"""A refusal that cannot succeed is met once, not once for every session.

The first call of a stage to a model behind a server goes alone, for a few seconds at most. If the server refuses what every
other call would meet too (it knows no such model, rubric or address, or forbids it), none is made: each fails with the same
words, in no time and at no price. The next run asks again.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cbtrun.errors import CbtrunError, ModelError, Refusal, StopRun

T = TypeVar("T")
LONGEST_ALONE_SECONDS = 5.0
"""How long other calls wait for what the first one meets: refusals are quick, and a slow answer must not hold up a stage."""
UNSURE = 3
"""Refusals of one kind, one after the other and none answered, after which one that may be about its session counts as sure."""
_OWN = re.compile(r"[0-9a-fA-F-]{8,}|\d+")
"""What differs between two refusals of one kind: ids of requests, numbers."""


def kind_of(reason: str) -> str:
    """What is the same in the words of failures of one kind."""
    return _OWN.sub("#", reason)


class NotAsked(ModelError):
    """A call that was not made, since the server would refuse it."""


@dataclass
class Breaker:
    """What one model's server made of the calls of one stage so far."""

    most: int
    """Refusals of one kind, and none of another, after which any refusal counts as sure."""
    broken: CbtrunError | None = None
    """What every further call meets; none while calls are made."""
    _answered: bool = False
    _at_once: float = 1
    """Calls that may be under way: one until the server was heard, any number once it answered."""
    _under_way: int = 0
    _refused: Counter[str] = field(default_factory=Counter)
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    async def call(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The reply. Raises what `ask` raises, or what another call was refused with for good."""
        await self._turn()
        self._under_way += 1
        timer = asyncio.get_running_loop().call_later(LONGEST_ALONE_SECONDS, self.let_all)
        try:
            reply = await ask()
            self._answered = True
            self.let_all()
            return reply
        except ModelError as refusal:
            self._note(refusal)
            raise
        except StopRun as stop:
            self.broken = stop
            raise
        finally:
            timer.cancel()
            self._under_way -= 1
            self._wake()

    def let_all(self) -> None:
        """Make calls side by side: the server is there, or slow, whatever it says to one of them."""
        self._at_once = math.inf
        self._wake()

    async def _turn(self) -> None:
        """Wait until a call may be made. Raises what every call meets, where it would be refused."""
        while self.broken is None and self._under_way >= self._at_once:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        if isinstance(self.broken, StopRun):
            raise self.broken
        if self.broken is not None:
            raise NotAsked(str(self.broken))

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)

    def _note(self, refusal: ModelError) -> None:
        """Count a refusal by a model that never answered."""
        if self._answered:
            return
        self._refused[kind_of(str(refusal))] += 1
        most = self.most
        if isinstance(refusal, Refusal):
            most = 1 if refusal.sure else min(UNSURE, self.most)
        if len(self._refused) > 1:  # it refuses now this, now that: these are about single requests
            self.let_all()
        elif self._refused.total() >= most:
            self.broken = refusal
        elif not isinstance(refusal, Refusal):
            self._at_once = max(1, most - self._refused.total())
