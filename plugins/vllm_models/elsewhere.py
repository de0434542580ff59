"""vLLM's engine on another machine: the same plain values go in and come back as with an engine here.

Prompts are token ids already; adapters are named by their digest, under which the machine holds their files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from cbtrun.plugin import ContextRoom, Files, Json, ModelError, Node, OpenedBy, Workplace
from cbtrun.plugins.local_models.elsewhere import adapter_folder, named_elsewhere
from cbtrun.plugins.vllm_models.adapters import AdapterRoom
from cbtrun.plugins.vllm_models.engine import Asked, Made

OPENER = "cbtrun.plugins.vllm_models.elsewhere:open_engine"


class EngineElsewhere:
    """Engines of one kind on machines of a workplace, asked as one (`Engine`)."""

    def __init__(
        self, place: Workplace, key: str, options: Mapping[str, Any], digest: str | None, room: AdapterRoom
    ) -> None:
        """digest: of the weights here; none for a model on the hub, whose commit the block names."""
        gpus = int(options["tensor_parallel_size"])
        arguments: Json = {
            "options": {**options, "model": named_elsewhere(options["model"])},
            "adapters": asdict(room),
            "digest": digest,
        }
        label = str(options["model"]).rstrip("/").rpartition("/")[2]
        self._engines = place.engines(OpenedBy(OPENER, arguments, key, label, gpus, float(gpus)))

    def share(self, room: ContextRoom) -> None:
        """Have what their caches hold told by this object, which models on them have already."""
        self._engines.room = room

    async def make(self, asked: Asked, session: str = "") -> Made:
        """One reply. Raises ModelError for what vLLM refuses, StopRun where no engine is left."""
        told = asdict(replace(asked, prompt=list(asked.prompt), ends=frozenset(), adapter=None))
        values = {"kind": "make", "asked": {**told, "ends": sorted(asked.ends)}}
        made = await self._engines.make(values, session, _folders(asked.adapter, asked.adapter_digest))
        return Made(tuple(made["tokens"]), made["text"], made["finish"], made["cached"])

    async def likelihood(
        self, ids: Sequence[int], start: int, adapter: str | None = None, digest: str | None = None
    ) -> float:
        """Mean natural logarithm of the probability of the tokens from `start` on, as an engine computes it."""
        values = {"kind": "likelihood", "ids": list(ids), "start": start, "adapter_digest": digest if adapter else None}
        return float((await self._engines.make(values, "", _folders(adapter, digest)))["likelihood"])

    async def stop(self) -> None:
        """End them."""
        await self._engines.close()


def _folders(adapter: str | None, digest: str | None) -> dict[str, Any]:
    return {digest: adapter_folder(adapter)} if adapter and digest else {}


def open_engine(arguments: Json, node: Node) -> EngineThere:
    """Open an engine on the machine that this is called on. Raises ModelError where its weights are not there, or others."""
    from cbtrun.plugins.local_models.gguf_model import weights_named
    from cbtrun.plugins.local_models.model_files import find_model
    from cbtrun.plugins.vllm_models.engine import start_engine

    options = arguments["options"]
    files = find_model(weights_named(options), options.get("revision"), weights=options["load_format"] != "dummy")
    if arguments["digest"] not in (None, files.digest):
        raise ModelError(
            f"the weights of '{options['model']}' on this machine are not those of the machine that runs the study"
        )
    told = arguments["adapters"]
    room = AdapterRoom(told["count"], told["rank"], None if told["layers"] is None else tuple(told["layers"]))
    # Within Ray's allotment vLLM would have Ray start its workers anew, each with GPUs that are not there any more.
    executor = {"distributed_executor_backend": "mp"} if options["tensor_parallel_size"] > 1 else {}
    return EngineThere(start_engine(files.source, options, room, executor), node)


class EngineThere:
    """An engine at work on some machine."""

    def __init__(self, engine: Any, node: Node) -> None:
        self._engine, self._node = engine, node

    @property
    def facts(self) -> Json:
        """What its cache holds, in tokens."""
        return {"cache_tokens": self._engine.cache_tokens}

    async def make(self, asked: Json, tell: Callable[[Json, Files], None]) -> Json:
        """A reply, or how likely tokens are, as plain values."""
        if asked["kind"] == "likelihood":
            digest = asked["adapter_digest"]
            folder = self._node.folder_of(digest) if digest else None
            found = await self._engine.likelihood(asked["ids"], asked["start"], folder, digest)
            return {"likelihood": found}
        told = asked["asked"]
        digest = told["adapter_digest"]
        wanted = {**told, "ends": frozenset(told["ends"]), "stop": tuple(told["stop"])}
        wanted["adapter"] = self._node.folder_of(digest) if digest else None
        return asdict(await self._engine.make(Asked(**wanted)))

    async def close(self) -> None:
        """End it; its GPUs are free then."""
        await asyncio.wait_for(self._engine.stop(), 60)
