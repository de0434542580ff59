"""One engine of the cluster as the driver sees it: asked in batches, listened to, and given up when it does not answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from cbtrun import errors
from cbtrun.cluster.messages import packed
from cbtrun.contract.models import ContextRoom
from cbtrun.contract.records import Json
from cbtrun.contract.workplace import Files
from cbtrun.errors import CbtrunError, ModelError

if TYPE_CHECKING:
    from cbtrun.contract.workplace import OpenedBy, SentFolder

LISTENING_SECONDS = 5.0
"""How long an engine with nothing to say may take to say that it is there."""
CLOSING_SECONDS = 25.0
WHOLE_DEADLINES = 3.0
"""An engine that gives other replies may take so many deadlines for one."""
RAISED = ("ModelError", "Refusal", "StageError", "StopRun", "WrongModel", "SpecError", "PluginError")
"""Errors of ours that are raised here as they were there."""
Tell = Callable[[Json, Files], None]


class Processes(Protocol):
    """What one engine asks of the cluster that it is part of."""

    def sent(self, name: str, folder: SentFolder) -> tuple[str, Any]:
        """Digest of a folder's files, and a reference to them in the cluster's memory."""

    def kill(self, actor: Any) -> None:
        """End a process for certain."""


class EngineGone(Exception):
    """An engine that is lost: it died, hangs, or has no memory. What it was asked is to be asked elsewhere."""


@dataclass(frozen=True)
class Patience:
    """How long an engine is waited for."""

    deadline: float = 600.0
    """Seconds that an engine may take for a reply while it gives no other; three times as many while it does."""
    ping: float = 30.0
    """Seconds without a sign of life after which its process, or its machine, is taken for lost."""
    opening: float = 1800.0
    """Seconds that it may take to open."""


@dataclass
class _Waiting:
    answer: asyncio.Future[Json]
    since: float
    tell: Tell | None = None


class Replica:
    """One engine. Made, opened and asked in one event loop."""

    def __init__(self, actor: Any, patience: Patience, cluster: Processes) -> None:
        """actor: handle of an `EngineProcess` of the cluster."""
        self._actor, self._patience, self._cluster = actor, patience, cluster
        self._waiting: dict[int, _Waiting] = {}
        self._outbox: list[tuple[int, Json]] = []
        self._number = 0
        self._held: dict[str, asyncio.Future[None]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._heard = 0.0
        self.room = ContextRoom()
        self.facts: Json = {}
        self.gone = ""
        """Why it is lost; empty for one that is there."""
        self.counted = False
        """Whether its loss was noted."""
        self.made = 0
        """Replies that it gave."""

    @property
    def load(self) -> int:
        """Calls that it has not answered yet."""
        return len(self._waiting)

    async def open(self, opened_by: OpenedBy) -> None:
        """Open it. Raises EngineGone where it dies, what refused it otherwise."""
        for name, folder in opened_by.folders.items():
            await self.hold(name, folder)
        told = json.dumps({"function": opened_by.function, "arguments": opened_by.arguments}).encode()
        said = await self._asked(self._actor.open.remote(told), self._patience.opening, "did not open")
        self.facts = _unless_refused(json.loads(said)).get("facts", {})
        self.room.tokens = self.facts.get("cache_tokens")
        self._heard = asyncio.get_running_loop().time()
        self._listening = asyncio.create_task(self._listen())

    async def make(self, asked: Json, tell: Tell | None = None) -> Json:
        """The answer. Raises what the engine raised, EngineGone where it is lost."""
        if self.gone:
            raise EngineGone(self.gone)
        loop = asyncio.get_running_loop()
        self._number += 1
        number, waiting = self._number, _Waiting(loop.create_future(), loop.time(), tell)
        if not self._waiting:
            self._heard = loop.time()
        self._waiting[number] = waiting
        if not self._outbox:
            loop.call_soon(self._send)
        self._outbox.append((number, asked))
        try:
            return await waiting.answer
        finally:
            self._waiting.pop(number, None)

    async def hold(self, name: str, folder: SentFolder) -> None:
        """Have it hold files under a name; they are sent once."""
        if name not in self._held:
            self._held[name] = asyncio.ensure_future(self._hold(name, folder))
        await asyncio.shield(self._held[name])

    async def close(self) -> None:
        """End it: first as it likes, then for certain."""
        if self._listening is not None:
            self._listening.cancel()
        with suppress(EngineGone):
            await self._asked(self._actor.close.remote(), CLOSING_SECONDS, "did not close")
        self._lose("it was closed")

    def give_up(self, why: str) -> None:
        """End it at once."""
        self._lose(why)

    async def _hold(self, name: str, folder: SentFolder) -> None:
        found, files = self._cluster.sent(name, folder)
        said = await self._asked(self._actor.hold.remote(name, found, files), self._patience.opening, "took no files")
        _unless_refused(json.loads(said))

    def _send(self) -> None:
        """All that was asked at this moment goes together."""
        asked, self._outbox = self._outbox, []
        if not self.gone:
            for message in packed(asked):
                self._actor.submit.remote(message)  # whether it came is told by the answers

    async def _listen(self) -> None:
        try:
            while not self.gone:
                self._take(*await self._asked(self._actor.collect.remote(LISTENING_SECONDS), self._silence(), "hangs"))
                self._look_at_deadlines()
        except EngineGone as error:
            self._lose(str(error))

    def _silence(self) -> float:
        return LISTENING_SECONDS + self._patience.ping

    def _take(self, words: bytes, sent: Sequence[bytes]) -> None:
        files = iter(sent)
        for number, kind, values in json.loads(words):
            belonging = {name: next(files) for name in values["files"]} if kind == "told" else {}
            self._heard = asyncio.get_running_loop().time()
            waiting = self._waiting.get(number)
            if kind == "told" and waiting is not None and waiting.tell is not None:
                self._tell(waiting, values["values"], belonging)
            elif kind == "made" and waiting is not None and not waiting.answer.done():
                self.made += 1
                waiting.answer.set_result(values)
            elif kind == "failed":
                self._failed(waiting, values)

    @staticmethod
    def _tell(waiting: _Waiting, word: Json, files: Files) -> None:
        """Hand on a word. What goes wrong with it here (a full disk, say) is who waits' to hear."""
        try:
            assert waiting.tell is not None
            waiting.tell(word, files)
        except Exception as error:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)

    def _failed(self, waiting: _Waiting | None, told: Json) -> None:
        if told["broken"]:
            self._lose(f"it broke: {told['words'].splitlines()[0][:300]}")
        elif waiting is not None and not waiting.answer.done():
            waiting.answer.set_exception(_error(told))

    def _look_at_deadlines(self) -> None:
        now = asyncio.get_running_loop().time()
        oldest = min((one.since for one in self._waiting.values() if one.tell is None), default=now)
        silent = self._waiting and now - self._heard > self._patience.deadline
        if (silent and now > oldest) or now - oldest > WHOLE_DEADLINES * self._patience.deadline:
            self._lose(f"it gave no reply for {self._patience.deadline:,.0f} s")

    def _lose(self, why: str) -> None:
        """It is lost: whoever waits is told so, and its process is killed, whatever state it is in."""
        if self.gone:
            return
        self.gone = why
        for waiting in self._waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_exception(EngineGone(why))
        with suppress(Exception):
            self._cluster.kill(self._actor)

    async def _asked(self, reference: Any, seconds: float, what: str) -> Any:
        """What a method of the process gives. Raises EngineGone where it gives nothing."""
        answer = asyncio.wrap_future(reference.future())
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may wait for it any more
        # Not `wait_for`, which cancels: Ray would set the result of a cancelled future, and complain.
        done, _ = await asyncio.wait([answer], timeout=seconds)
        if not done:
            raise EngineGone(f"it {what}: nothing was heard of it for {seconds:,.0f} s")
        try:
            return answer.result()
        except Exception as error:  # Ray's errors of a process, a machine or a connection that is lost
            raise EngineGone(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"its process is gone ({lines[0][:200] if lines else type(error).__name__})"


def _unless_refused(said: Mapping[str, Any]) -> Json:
    if "refused" in said:
        told = said["refused"]
        raise EngineGone(f"it broke: {told['words'][:300]}") if told["broken"] else _error(told)
    return dict(said)


def _error(told: Json) -> Exception:
    """An error as it was raised on the machine; what is no error of ours is a bug, with what was written there."""
    if told["ours"]:
        kind: type[CbtrunError] = getattr(errors, told["kind"]) if told["kind"] in RAISED else ModelError
        return ModelError(told["words"]) if kind is errors.SpecError else kind(told["words"])
    return RuntimeError(f"{told['words']}\nOn the machine of the cluster:\n{told['traceback']}")
