"""What the GPU benchmarks add to cbtrun: turns of set lengths, an engine that stays open, adapters of random numbers.

`bench-vllm` is the `vllm` plugin with three differences: a turn has as many tokens as a draw of its own says, every
reply is noted (prompt, adapter, tokens, how much of the prompt was in the cache and how much could have been), and the
engine outlives the study, so that other ways of asking it can be measured on the same one.
"""

from __future__ import annotations

import random
import time
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gpu_models import ADAPTED, write_adapter

from cbtrun.contract.digests import digest
from cbtrun.contract.models import ContextRoom, EngineShare, ModelContext, Reply, Request
from cbtrun.contract.records import Adapter, Json
from cbtrun.errors import StopRun
from cbtrun.hookspecs import hookimpl
from cbtrun.plugins.local_models.model_files import adapter_digest
from cbtrun.plugins.vllm_models import shared_engine, vllm_model
from cbtrun.plugins.vllm_models.engine import Asked, Made
from cbtrun.plugins.vllm_models.engine_arguments import ENGINE as ENGINE_ARGUMENTS
from cbtrun.plugins.vllm_models.options import SCHEMA, engine_key


@dataclass
class Note:
    """One reply: when, what, and how much of the prompt was in the cache."""

    asked: Asked
    made: Made
    began: float
    ended: float
    reusable: int
    """Tokens of the prompt, in whole blocks, that a cache of any size would have held."""
    session: str = ""
    turn: int = 0
    cpu: float = 0.0
    """CPU seconds of this process so far."""


@dataclass
class Watch:
    """What has been seen."""

    notes: list[Note] = field(default_factory=list)
    most_under_way: int = 0
    under_way: int = 0
    blocks: set[int] = field(default_factory=set)
    """Hashes of every whole block that was computed, each with all before it."""

    async def make(self, shared: shared_engine.SharedEngine, asked: Asked, session: str = "", turn: int = 0) -> Made:
        """A reply, noted."""
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        began = time.perf_counter()
        made = await shared.make(asked)
        self.under_way -= 1
        block = shared._engine.block_tokens if shared._engine else 16
        chain = chained([*asked.prompt, *made.tokens[:-1]], block, asked.adapter)
        whole = (len(asked.prompt) - 1) // block  # the last token is always read
        known = next((place for place in range(whole) if chain[place] not in self.blocks), whole)
        self.blocks.update(chain)
        note = Note(asked, made, began, time.perf_counter(), known * block, session, turn, time.process_time())
        self.notes.append(note)
        return made

    def clear(self) -> None:
        """Forget, for the next measurement."""
        self.notes, self.most_under_way = [], 0
        self.blocks.clear()


def chained(tokens: list[int], block: int, adapter: str | None) -> list[int]:
    """A hash of each whole block that depends on all before it and on the adapter."""
    chain, found = hash(adapter), []
    for start in range(0, len(tokens) - block + 1, block):
        chain = hash((chain, *tokens[start : start + block]))
        found.append(chain)
    return found


WATCH = Watch()
CLOCK: dict[str, float] = {}


def start_clock(seconds: float | None) -> None:
    """Stop the run so many seconds after the next turn; none lets it go on to its end."""
    CLOCK.clear()
    if seconds is not None:
        CLOCK["seconds"] = seconds


def check_clock() -> None:
    """Raises StopRun when the time is up."""
    if CLOCK and time.perf_counter() > CLOCK.setdefault("end", time.perf_counter() + CLOCK["seconds"]):
        raise StopRun("the time is up")


# No study may name a folder to write; a benchmark writes its traces.
ENGINE_ARGUMENTS["properties"]["profiler_config"] = {"type": "object", "description": "torch's trace."}

ENGINES: dict[str, Any] = {}
"""Engines that outlive a study."""


def turn_length(request: Request) -> int:
    """40 to 160 tokens, by whose turn it is: the same whatever else happens."""
    return random.Random(digest([request.draw.role, request.draw.subject, request.draw.turn])).randint(40, 160)


class Plugin:
    """`bench-vllm`, and `random-adapter` as its way of tuning."""

    @hookimpl
    def options_schema(self, stage: str) -> Json | None:
        """The plugin's own, and a base for an adapter."""
        if stage == "tune":
            base = {"type": "string", "x-names": "models", "description": "Base."}
            seeds = {"type": "array", "items": {"type": "integer"}, "default": [1], "description": "Seeds."}
            layers = {"enum": list(ADAPTED), "description": "Layers that the adapter changes."}
            properties = {"base": base, "seeds": seeds, "layers": layers}
            return {"type": "object", "properties": properties, "additionalProperties": False}
        return SCHEMA if stage == "models" else None

    @hookimpl
    def engine_of(self, context: ModelContext) -> EngineShare:
        """As the plugin."""
        return vllm_model.engine_of(context)

    @hookimpl
    def tune_model(self, context: Any) -> list[Adapter]:
        """Random numbers in the shape of an adapter."""
        base = context.study["models"][context.options["base"]]["model"]
        seed = context.options["seeds"][0]
        folder = context.folder / f"seed-{seed}"
        write_adapter(folder, Path(base), seed, layers=ADAPTED[context.options["layers"]])
        return [
            Adapter(
                name=context.name,
                base=context.options["base"],
                folder=folder.relative_to(context.folder.parent.parent).as_posix(),
                digest=adapter_digest(folder),
                seed=seed,
            )
        ]

    @hookimpl
    def open_model(self, context: ModelContext) -> WatchedModel:
        """The plugin's model on an engine that stays, watched."""
        new = engine_key(context.options) not in ENGINES
        model = vllm_model.open_model(replace(context, shared=ENGINES))
        model._shared.users += new  # one user more than there are models
        return WatchedModel(model)


class WatchedEngine:
    """A shared engine whose replies are noted with the session that they belong to."""

    def __init__(self, shared: shared_engine.SharedEngine) -> None:
        self._shared, self.leave = shared, shared.leave
        self.request: ContextVar[Request] = ContextVar("request")

    @property
    def room(self) -> ContextRoom:
        """As the engine."""
        return self._shared.room

    async def make(self, asked: Asked) -> Made:
        """As the engine."""
        draw = self.request.get().draw
        return await WATCH.make(self._shared, asked, f"{draw.subject}/{draw.repeat}", draw.turn)


class WatchedModel:
    """A model whose replies are noted, each as long as was drawn for its turn."""

    def __init__(self, model: vllm_model.VllmModel) -> None:
        self._model = model
        self._engine = WatchedEngine(model._shared)
        model._shared = self._engine  # type: ignore[assignment]
        self.identity = {**model.identity, "bench": True}
        self.count_tokens, self.close = model.count_tokens, model.close

    @property
    def room(self) -> ContextRoom:
        """As the model."""
        return self._model.room

    async def reply(self, request: Request) -> Reply:
        """A reply of the turn's length."""
        check_clock()
        self._engine.request.set(request)
        return await self._model.reply(replace(request, max_tokens=turn_length(request)))
