"""The replicas of one engine: sessions keep theirs, calls of one that is lost are asked again on another."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cbtrun.cluster.replica import EngineGone, Replica
from cbtrun.contract.models import ContextRoom
from cbtrun.contract.records import Json
from cbtrun.contract.workplace import MOVED, SEATED, OpenedBy, SentFolder
from cbtrun.errors import StopRun

if TYPE_CHECKING:
    from cbtrun.cluster.cluster import Cluster

SESSIONS_KEPT = 200_000
"""Sessions whose replica is remembered: the oldest are forgotten first."""
HOUR = 3600.0
MOVES = 20
"""A call that lost so many engines is not asked again: it may be what ends them."""


@dataclass
class OpenedLately:
    """How many engines were opened in the place of lost ones: at most so many an hour."""

    at_most: int
    clock: Callable[[], float] = time.monotonic
    _times: deque[float] = field(default_factory=deque)

    def may_open(self) -> bool:
        """Whether one more may be opened now; it is counted then."""
        now = self.clock()
        while self._times and now - self._times[0] > HOUR:
            self._times.popleft()
        if len(self._times) >= self.at_most:
            return False
        self._times.append(now)
        return True


class Replicas:
    """All open engines of one kind (`Engines` of the contract)."""

    def __init__(self, cluster: Cluster, opened_by: OpenedBy) -> None:
        self._cluster, self._opened_by = cluster, opened_by
        self.room = ContextRoom()
        self.there: list[Replica] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._retiring: set[asyncio.Task[None]] = set()
        self._again = OpenedLately(cluster.where.new_engines_an_hour)
        self._kept: OrderedDict[str, Replica] = OrderedDict()
        self._changed: asyncio.Condition | None = None
        self._refused: Exception | None = None
        self._last_loss = ""
        self._closed = False

    @property
    def label(self) -> str:
        """What they are, for people."""
        return self._opened_by.label

    @property
    def key(self) -> str:
        """What they serve."""
        return self._opened_by.key

    @property
    def gpus(self) -> int:
        """GPUs that each of them takes."""
        return self._opened_by.gpus

    @property
    def opening(self) -> int:
        """Replicas that are being opened."""
        return len(self._opening)

    async def make(self, asked: Json, session: str = "", folders: Mapping[str, SentFolder] | None = None) -> Json:
        """The answer of one of them; see the contract."""
        for _ in range(MOVES):
            replica = await self._replica(session)
            try:
                for name, folder in (folders or {}).items():
                    await replica.hold(name, folder)
                return await replica.make(asked)
            except EngineGone as gone:
                self._lost(replica, str(gone))
                if (told := MOVED.get()) is not None:
                    told(f"{self.label}: {gone}")
        raise StopRun(
            f"model '{self.label}': {MOVES} engines were lost while they answered one call; the last: {self._last_loss}"
        )

    async def facts(self) -> Json:
        """What the first of them says of itself; opens it."""
        return (await self._replica("")).facts

    async def close(self) -> None:
        """End them all."""
        self._closed = True
        self._cluster.forget(self)
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, *self._retiring, return_exceptions=True)
        await asyncio.gather(*(one.close() for one in self.there), return_exceptions=True)
        self.there.clear()

    def grow(self) -> None:
        """Open more of them where their share of the work asks for it."""
        for _ in range(self._cluster.replicas_of(self._opened_by) - len(self.there) - len(self._opening)):
            task = asyncio.ensure_future(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def shrink(self) -> None:
        """Let go of replicas beyond the share, those with least to do first; what they were asked they still answer."""
        while len(self.there) > self._cluster.replicas_of(self._opened_by):
            least = min(self.there, key=lambda one: one.load)
            self.there.remove(least)
            self._set_rooms()
            task = asyncio.ensure_future(self._retire(least))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _retire(self, replica: Replica) -> None:
        while replica.load and not replica.gone:
            await asyncio.sleep(0.1)
        await replica.close()

    async def _replica(self, session: str) -> Replica:
        """The one that a session is kept in, or the one with most room. Raises StopRun where none is left."""
        if self._changed is None:
            self._changed = asyncio.Condition()
            self.grow()
            self._cluster.fit()
        if not self.there:
            async with self._changed:
                await self._changed.wait_for(lambda: self.there or self._refused or not self._opening)
        if not self.there:
            raise self._refused or StopRun(
                f"model '{self.label}': no engine is left on the cluster and {self._again.at_most} were opened again within "
                f"an hour; the last was lost since {self._last_loss}. What is done is kept; the same command goes on"
            )
        return self._chosen(session)

    def _chosen(self, session: str) -> Replica:
        seats = [*SEATED.get().values()]
        seated = next((one for one in self.there if any(one.room is room for room in seats)), None)
        found = seated or self._kept.get(session)
        if found is None or found not in self.there:
            found = min(self.there, key=lambda one: one.load)
        if session:
            self._kept[session] = found
            self._kept.move_to_end(session)
            if len(self._kept) > SESSIONS_KEPT:
                self._kept.popitem(last=False)
        return found

    async def _open(self) -> None:
        """Open one. What refuses to open is told to who asks; what is lost while it opens is tried again, as often as may be."""
        replica = self._cluster.start(self._opened_by)
        try:
            await replica.open(self._opened_by)
            if self._closed:
                await replica.close()
            else:
                self._joined(replica)
        except EngineGone as gone:
            self._lost(replica, str(gone))
        except asyncio.CancelledError:
            replica.give_up("it was not needed any more")
            raise
        except Exception as error:
            replica.give_up("it could not be opened")
            self._refused = error
        finally:
            await self._tell()

    def _joined(self, replica: Replica) -> None:
        self.there.append(replica)
        self._set_rooms()

    def _set_rooms(self) -> None:
        rooms = [one.room for one in self.there if one.room.tokens is not None]
        self.room.replicas[:] = rooms
        self.room.tokens = sum(room.tokens or 0 for room in rooms) or self.room.tokens

    def _lost(self, replica: Replica, why: str) -> None:
        """One is lost: it is dropped, and another is opened in its place if that was not done too often."""
        replica.give_up(why)
        known = replica in self.there
        if known:
            self.there.remove(replica)
            self._set_rooms()
        if (known or not replica.counted) and not self._closed:
            replica.counted = True
            self._last_loss = why
            self._cluster.note_loss(self.label, why)
            if self._again.may_open():
                task = asyncio.ensure_future(self._open())
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)

    async def _tell(self) -> None:
        if self._changed is not None:
            # The task that tells is not done yet: who waits for "nothing is being opened" looks once it is.
            asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self._wake()))

    async def _wake(self) -> None:
        assert self._changed is not None
        async with self._changed:
            self._changed.notify_all()
