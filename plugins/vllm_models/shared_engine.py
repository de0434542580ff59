"""One engine for all models on it: opened with the first reply, ended with the last model."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from cbtrun.plugin import CbtrunError, ContextRoom
from cbtrun.plugins.local_models.turn_probes import agreement, note_agreement, read_probes, refuse_another_model
from cbtrun.plugins.vllm_models import engine as vllm_engine
from cbtrun.plugins.vllm_models.adapters import AdapterRoom, room_for
from cbtrun.plugins.vllm_models.elsewhere import EngineElsewhere
from cbtrun.plugins.vllm_models.engine import Asked, Engine, Made


@dataclass
class SharedEngine:
    """The engine that blocks with the same engine options share.

    Replies that the journal holds need none: it is opened by the first that it has to make.
    """

    source: str
    options: Mapping[str, Any]
    adapters: Sequence[str]
    elsewhere: Callable[[AdapterRoom], EngineElsewhere] | None = None
    """Gives the engines on other machines; none where the engine is opened here."""
    room: ContextRoom = field(default_factory=ContextRoom)
    """What its KV cache holds; not known before it is open."""
    users: int = 0
    speaking: Counter[str] = field(default_factory=Counter)
    """Digest of an adapter -> open models that speak with it."""
    _engine: Engine | EngineElsewhere | None = None
    _error: CbtrunError | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    _checking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _agreed: set[str] = field(default_factory=set)
    """Folders of adapters with which the engine is the model that was trained."""

    async def make(self, asked: Asked, session: str = "") -> Made:
        """One reply. session: of several engines, calls of one session go to the same. Raises ModelError or StopRun."""
        engine = self._engine or await self._opened()
        if asked.adapter is not None and asked.adapter not in self._agreed:
            await self._check(engine, asked.adapter, asked.adapter_digest)
        if self.elsewhere is not None:
            return await cast("EngineElsewhere", engine).make(asked, session)
        return await engine.make(asked)

    async def _check(self, engine: Engine | EngineElsewhere, adapter: str, digest: str | None) -> None:
        """Raises WrongModel where the engine finds turns otherwise likely than the trainer of an adapter did."""
        async with self._checking:
            probes = read_probes(Path(adapter))
            if probes and adapter not in self._agreed:
                base = await asyncio.gather(*(engine.likelihood(one.ids, one.start) for one in probes))
                tuned = await asyncio.gather(
                    *(engine.likelihood(one.ids, one.start, adapter, digest) for one in probes)
                )
                found = agreement(probes, base, tuned)
                note_agreement(Path(adapter), "vllm", found)
                refuse_another_model(found, f"'{self.source}' with the adapter in {adapter}")
            self._agreed.add(adapter)

    async def leave(self, adapter: str | None = None) -> None:
        """One user less; the last one ends the engine. adapter: digest of the one that it spoke with.

        An adapter that nobody speaks with any more leaves the engine: a training by reinforcement makes one in each step.
        """
        self.users -= 1
        if adapter is not None:
            self.speaking[adapter] -= 1
            if self.speaking[adapter] <= 0 and self.users and isinstance(self._engine, Engine):
                await self._engine.forget(adapter)
        if self.users == 0 and self._engine is not None:
            engine, self._engine, self.room.tokens = self._engine, None, None
            self.room.replicas = []
            await engine.stop()

    async def _opened(self) -> Engine | EngineElsewhere:
        async with self._opening:
            if self._error is not None:  # what could not be opened once is not tried again for every reply
                raise self._error
            if self._engine is None:
                try:
                    room = room_for(self.adapters)
                    if self.elsewhere is not None:
                        return self._joined(self.elsewhere(room))
                    # In a thread: calls to servers go on meanwhile.
                    opened = await asyncio.to_thread(vllm_engine.start_engine, self.source, self.options, room)
                except CbtrunError as error:
                    self._error = error
                    raise
                self._engine, self.room.tokens = opened, opened.cache_tokens
            return self._engine

    def _joined(self, engines: EngineElsewhere) -> EngineElsewhere:
        """Engines on other machines: they open with their first call, and what they hold is known then."""
        engines.share(self.room)
        self._engine = engines
        return engines


def join_engine(
    engines: MutableMapping[str, Any],
    key: str,
    source: str,
    options: Mapping[str, Any],
    adapters: Sequence[str],
    elsewhere: Callable[[AdapterRoom], EngineElsewhere] | None = None,
) -> SharedEngine:
    """The engine under a key, made where there is none; counts one user more."""
    shared = engines.get(key)
    if not isinstance(shared, SharedEngine) or shared.users == 0:
        shared = engines[key] = SharedEngine(source, options, adapters, elsewhere)
    shared.users += 1
    return shared
