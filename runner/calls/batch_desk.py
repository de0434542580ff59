"""Where the draws of a stage without turns gather, to be handed in together.

A stage asks for its draws side by side; when none has come for a moment, those that came make a batch. A draw that is in a
batch already, of this run or of one that was killed, waits for that one, whether or not batches are still wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from cbtrun.calls.batch_course import STOPPING, BatchCourse, Gathered
from cbtrun.contract.batches import ItemAnswer, TooLarge
from cbtrun.errors import ModelError, StopRun

T = TypeVar("T")
GATHER_SECONDS = 1.0
"""How long no further draw must have come before those that came are handed in."""
AROUND_ITEM = 512
"""Bytes that stand around a request in a batch."""


@dataclass
class BatchDesk:
    """The draws of one model in one stage."""

    course: BatchCourse
    _next: list[tuple[Gathered, asyncio.Future[str]]] = field(default_factory=list)
    _bytes: int = 0
    _timer: asyncio.TimerHandle | None = None
    _watches: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _most: int = 0
    """Requests of one batch that the vendor has shown to take; 0 while it has refused none."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def answer(self, draw: Gathered, body: Callable[[], Awaitable[bytes]]) -> ItemAnswer:
        """What came back for a draw, from the batch that it is in or the next one.

        Raises ModelError where the vendor refuses it, StopRun where the run has to end.
        """
        while True:
            waiting = self.course.book.where(draw.key)
            if waiting is not None and waiting.answer.status:
                return waiting.answer
            try:
                batch = waiting.batch if waiting else await self._gathered(replace(draw, body=await body()))
                await self._watched(batch)
            except TooLarge:
                if self._most == 1:
                    raise
                continue  # in a smaller one

    def stop(self) -> None:
        """Hand in nothing more and wait for nothing: what was handed in is in the journal and waits for the next run."""
        self.course.stopping.set()
        waiting, self._next = self._next, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(StopRun(STOPPING))

    async def _gathered(self, draw: Gathered) -> str:
        """The mark of the batch that the draw was handed in with."""
        if self.course.stopping.is_set():
            raise StopRun(STOPPING)
        size, service = len(draw.body) + AROUND_ITEM, self.course.service
        if size > service.most_bytes:
            raise ModelError(f"a request of {size:,} bytes is larger than a batch of {service.vendor} may be")
        if len(self._next) >= (self._most or service.most_requests) or self._bytes + size > service.most_bytes:
            self._flush()
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._next.append((draw, future))
        self._bytes += size
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._flush)
        return await future

    def _flush(self) -> None:
        gathered, self._next, self._bytes = self._next, [], 0
        if gathered:
            self._begin(self._handed_in(gathered))

    async def _handed_in(self, gathered: list[tuple[Gathered, asyncio.Future[str]]]) -> None:
        """Hand a batch in and tell each of its draws, what went wrong too."""
        async with AsyncExitStack() as turn:
            if self._most:  # the vendor takes no more at once: one after the other
                await turn.enter_async_context(self._turn)
            try:
                batch = await self.course.hand_in([draw for draw, _ in gathered])
            except BaseException as error:
                if isinstance(error, TooLarge):
                    self._halve(len(gathered))
                for _, future in gathered:
                    if not future.done():
                        future.set_exception(error)
                        future.exception()  # whoever waits for it no more need not be told
                return
            for _, future in gathered:
                if not future.done():
                    future.set_result(batch)
            try:
                await self._watched(batch)
            except TooLarge:
                self._halve(len(gathered))

    def _halve(self, refused: int) -> None:
        self._most = max(1, min(self._most or refused, refused // 2))

    async def _watched(self, batch: str) -> None:
        """Wait until a batch is collected; all that wait for one look together."""
        if batch not in self._watches:
            self._watches[batch] = self._begin(self.course.wait(batch))
        await asyncio.shield(self._watches[batch])

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told to every draw that waits for it
