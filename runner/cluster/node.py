"""What runs on a machine of the cluster: one engine, model or training in a process of its own, asked by its driver.

Plain values come in and go out, as JSON; files come as bytes and are written under a folder of this process. Nothing here is
worth keeping: who is killed is asked for again elsewhere. The engine has an event loop in a thread of its own, so that this
process answers that it is there while the engine thinks.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from contextlib import suppress
from importlib import import_module
from typing import Any

from cbtrun.cluster.messages import Outbox
from cbtrun.cluster.sent_files import SentFiles
from cbtrun.contract.records import Json
from cbtrun.contract.workplace import Files, Worked
from cbtrun.errors import CbtrunError, StopRun
from cbtrun.import_path import child_environment
from cbtrun.keys.secrets import HUB_KEYS, environment_without_keys

BROKEN = ("OutOfMemoryError", "MemoryError", "AcceleratorError", "StopRun")
"""Errors after which an engine is not asked again: it has no memory left, or has died."""


def leave_keys_behind() -> None:
    """Take out of this process's environment what is a key by its name: none is needed but to fetch weights."""
    kept = child_environment(environment_without_keys(keep=HUB_KEYS))
    for name in {*os.environ} - {*kept}:
        del os.environ[name]
    os.environ.update(kept)
    here = ("", os.getcwd())  # noqa: PTH109 - as it stands in the search path
    sys.path[:] = [entry for entry in sys.path if entry not in here]


class EngineProcess:
    """One engine; its methods are called by the driver, through Ray."""

    def __init__(self) -> None:
        leave_keys_behind()
        self._files = SentFiles()
        self._engine: Worked | None = None
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="cbtrun-engine").start()
        self._words = Outbox()
        self._said = asyncio.Event()
        self._listener: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def where(self) -> bytes:
        """Facts of this machine, before anything is opened."""
        from cbtrun.cluster.machine_facts import facts_of_this_machine

        return json.dumps(facts_of_this_machine()).encode()

    async def open(self, told: bytes) -> bytes:
        """Open the engine; gives its facts, or what refused it."""
        try:
            facts = await self._in_engine(self._open(json.loads(told)))
        except Exception as error:
            return json.dumps({"refused": _told(error)}).encode()
        return json.dumps({"facts": facts}).encode()

    async def hold(self, name: str, files_digest: str, files: dict[str, bytes]) -> bytes:
        """Write files that have a digest under a name. Gives what is wrong with them, or nothing."""
        try:
            await asyncio.to_thread(self._files.hold, name, files_digest, files)
        except CbtrunError as error:
            return json.dumps({"refused": _told(error)}).encode()
        return b"{}"

    async def submit(self, asked: bytes) -> None:
        """Begin to answer what is asked: a list of (number, plain values)."""
        for number, values in json.loads(asked):
            self._loop.call_soon_threadsafe(self._begin, number, values)

    async def collect(self, seconds: float) -> tuple[bytes, list[bytes]]:
        """What was said since the last look, as (number, kind, values) with the files that belong to it.

        Comes back after so many seconds at the latest, with nothing: this process is there.
        """
        self._listener = asyncio.get_running_loop()
        if not self._words:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._said.wait(), seconds)
        self._said.clear()
        with self._lock:
            return self._words.take()

    async def alive(self) -> int:
        """The number of this process, once the engine's own loop has answered too."""
        await self._in_engine(_nothing())
        return os.getpid()

    async def close(self) -> None:
        """Give back what the engine holds."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            with suppress(Exception):  # it is killed next
                await self._in_engine(engine.close())
        self._files.remove()

    async def _in_engine(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _open(self, told: Json) -> Json:
        module, _, function = str(told["function"]).partition(":")
        opener: Callable[..., Worked] = getattr(import_module(module), function)
        self._engine = await asyncio.to_thread(opener, told["arguments"], self._files)
        return dict(self._engine.facts)

    def _begin(self, number: int, values: Json) -> None:
        task = self._loop.create_task(self._answer(number, values))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, number: int, values: Json) -> None:
        def tell(word: Json, files: Files) -> None:
            self._say(number, "told", word, files)

        try:
            assert self._engine is not None
            self._say(number, "made", await self._engine.make(values, tell))
        except Exception as error:
            self._say(number, "failed", _told(error))

    def _say(self, number: int, kind: str, values: Json, files: Files | None = None) -> None:
        with self._lock:
            self._words.add(number, kind, values, files)
        if self._listener is not None:
            self._listener.call_soon_threadsafe(self._said.set)


async def _nothing() -> None:
    """Answered as soon as the loop has time."""


def _told(error: Exception) -> Json:
    """An error as plain values: its kind, its words, and whether the engine is of no use any more."""
    kind = type(error).__name__
    broken = kind in BROKEN or "CUDA error" in str(error) or isinstance(error, StopRun)
    told: Json = {"kind": kind, "words": str(error) or kind, "broken": broken, "ours": isinstance(error, CbtrunError)}
    if not told["ours"]:
        told["traceback"] = "".join(traceback.format_exception(error))[-8000:]
    return told
