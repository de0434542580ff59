"""vLLM's engine: all that cbtrun asks of vLLM is here.

The engine's core runs in a process of its own, so that its GPU memory is given back for certain when it ends. That
process is spawned, not forked: a fork after torch has used its threads waits for ever.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from statistics import fmean
from threading import Lock
from typing import Any

from cbtrun.plugin import HUB_KEYS, ModelError, StopRun, child_environment, environment_without_keys
from cbtrun.plugins.local_models.gpu_tenants import make_room
from cbtrun.plugins.vllm_models.adapters import MOST_AT_ONCE, AdapterRoom
from cbtrun.plugins.vllm_models.early import core_from_fork_server
from cbtrun.plugins.vllm_models.engine_arguments import handed_on
from cbtrun.plugins.vllm_models.orphans import OPENED_BY

ALWAYS = {
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_ALLOW_INSECURE_SERIALIZATION": "0",  # what its processes tell each other holds no pickled objects
}
UNLESS_SET = {"VLLM_LOGGING_LEVEL": "WARNING", "VLLM_USE_FLASHINFER_SAMPLER": "0"}
"""FlashInfer's sampler ignores a request's own seed."""
GRAPH_SIZES = (1, 2, 4, 8, *range(16, 256, 16), *range(256, 512, 32), *range(512, 1025, 64))
"""Tokens of the steps that are captured: half as many as vLLM would, since each takes its time when the engine opens. A step
is filled up to the next size, by 3 % on average from 256 tokens on."""
GRAPHS = {"cudagraph_mode": "FULL"}
"""In most steps of sessions some replies begin while others go on. Up to so many tokens such a step is one CUDA graph too,
as by default only a step of nothing but continued replies is. Where the attention kernels do not allow it (before Hopper),
vLLM takes its default."""
STOPPING_SECONDS = 20.0
"""How long the engine's process may take to end by itself before it is killed."""
_opening = Lock()


@dataclass(frozen=True)
class Asked:
    """One reply to make."""

    prompt: Sequence[int]
    """Token ids."""
    max_tokens: int
    seed: int
    sampling: Mapping[str, float]
    """temperature, top_p, top_k, repetition_penalty."""
    ends: frozenset[int]
    """Tokens that end a reply; none lets it run to its limit."""
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    adapter: str | None = None
    """Folder of a LoRA adapter."""
    adapter_digest: str | None = None


@dataclass(frozen=True)
class Made:
    """What came back."""

    tokens: tuple[int, ...]
    text: str
    """As vLLM reads the tokens; empty where nothing had to be looked for in it."""
    finish: str
    cached: int
    """Tokens of the prompt that were in the cache."""


class Engine:
    """An open engine."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._numbers = count(1)
        self._adapter_numbers = count(1)
        self._adapters: dict[str, int] = {}

    @property
    def cache_tokens(self) -> int:
        """Tokens that the KV cache holds."""
        cache = self._engine.vllm_config.cache_config
        return int(getattr(cache, "kv_cache_size_tokens", None) or cache.num_gpu_blocks * cache.block_size)

    @property
    def block_tokens(self) -> int:
        """Tokens of a block: only whole blocks are found again."""
        return int(self._engine.vllm_config.cache_config.block_size)

    async def make(self, asked: Asked) -> Made:
        """One reply. Raises ModelError for what vLLM refuses, StopRun when the engine has died."""
        from vllm.inputs import tokens_input
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        prompt = tokens_input(list(asked.prompt))
        number = str(next(self._numbers))
        said = self._engine.generate(
            prompt, _params(asked), number, lora_request=self._lora(asked.adapter, asked.adapter_digest)
        )
        try:
            *_, made = [one async for one in said]  # one output alone: the final one
        except EngineDeadError as error:
            raise StopRun("vLLM's engine has died; run the same command again to go on") from error
        except (ValueError, EngineGenerateError) as error:
            raise ModelError(f"vLLM refuses the request: {error.__cause__ or error}") from error
        output = made.outputs[0]
        return Made(tuple(output.token_ids), output.text, output.finish_reason or "stop", made.num_cached_tokens or 0)

    async def likelihood(
        self, ids: Sequence[int], start: int, adapter: str | None = None, digest: str | None = None
    ) -> float:
        """Mean natural logarithm of the probability of the tokens from `start` on, as the engine computes it."""
        from vllm import SamplingParams
        from vllm.inputs import tokens_input

        params = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=1, detokenize=False)
        lora = self._lora(adapter, digest)
        said = self._engine.generate(tokens_input(list(ids)), params, str(next(self._numbers)), lora_request=lora)
        *_, read = [one async for one in said]
        return fmean(read.prompt_logprobs[place][ids[place]].logprob for place in range(start, len(ids)))

    async def stop(self) -> None:
        """End the engine's process and wait for it: its memory is free then."""
        engine, self._engine = self._engine, None
        if getattr(engine, "output_handler", None) is not None:
            engine.output_handler.cancel()  # else it reports the end of the process as an error
        await asyncio.to_thread(engine.shutdown, timeout=STOPPING_SECONDS)

    async def forget(self, name: str) -> None:
        """Take an adapter out of the engine's memory. name: its digest, or its folder where it has none."""
        number = self._adapters.pop(name, None)
        if number is not None and self._engine is not None:
            await self._engine.remove_lora(number)

    def _lora(self, adapter: str | None, digest: str | None) -> Any:
        if adapter is None:
            return None
        from vllm.lora.request import LoRARequest

        name = digest or adapter
        if name not in self._adapters:  # a number is never used twice: the engine may still know who had it
            self._adapters[name] = next(self._adapter_numbers)
        return LoRARequest(name, self._adapters[name], adapter)


def start_engine(
    source: str, options: Mapping[str, Any], adapters: AdapterRoom, more: Mapping[str, Any] | None = None
) -> Engine:
    """Open an engine; takes a minute or two. Raises ModelError when it cannot be opened.

    source: folder or name of the weights. options: the block's. adapters: what it must have room for. more: arguments of
    vLLM that the machine decides.
    """
    make_room()
    with _opening, environment_of(options):  # the engine's process inherits the environment of this moment
        try:
            with core_from_fork_server():
                from vllm.engine.arg_utils import AsyncEngineArgs
                from vllm.v1.engine.async_llm import AsyncLLM

                arguments = engine_arguments(source, options, adapters) | _untuned(AsyncEngineArgs, options)
                arguments |= dict(more or {})
                return Engine(AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments)))
        except (ValueError, RuntimeError, OSError, TypeError, TimeoutError) as error:
            raise ModelError(f"vLLM cannot open model '{source}': {error}") from error


def engine_arguments(source: str, options: Mapping[str, Any], adapters: AdapterRoom) -> dict[str, Any]:
    """The options in vLLM's words."""
    same = ("dtype", "max_model_len", "gpu_memory_utilization", "tensor_parallel_size", "kv_cache_dtype", "load_format")
    more = ("max_num_seqs", "max_num_batched_tokens", "enforce_eager")
    arguments: dict[str, Any] = {name: options[name] for name in (*same, *more)}
    arguments |= {"model": source, "trust_remote_code": False, "enable_prefix_caching": options["prefix_caching"]}
    arguments |= {name: options[name] for name in ("revision", "quantization") if options.get(name)}
    # Sampling is the spec's: no default of the model's own. Without the last, a model may write blanks for ever.
    arguments |= {"generation_config": "vllm", "disable_log_stats": True}
    arguments |= {"structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True}}
    if not options["enforce_eager"]:
        arguments["compilation_config"] = GRAPHS | _graph_sizes(options)
    if adapters.count:
        at_once = options.get("max_loras") or min(adapters.count, MOST_AT_ONCE)
        arguments |= {"enable_lora": True, "max_lora_rank": adapters.rank, "max_loras": at_once}
        arguments |= {"max_cpu_loras": max(adapters.count, at_once)}
        if adapters.layers:
            arguments |= {"lora_target_modules": list(adapters.layers)}
    return {**arguments, **handed_on(options["engine"])}


def _graph_sizes(options: Mapping[str, Any]) -> dict[str, Any]:
    """What is captured, unless the study says it; nothing above a step's most tokens."""
    if {"cudagraph_capture_sizes", "max_cudagraph_capture_size"} & {*options["engine"]}:
        return {}
    return {"cudagraph_capture_sizes": [size for size in GRAPH_SIZES if size <= options["max_num_batched_tokens"]]}


def _untuned(known: type[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """FlashInfer's kernels are not tried out where none is used: its sampler ignores seeds, attention is vLLM's own."""
    if options.get("quantization") or "kernel_config" not in getattr(known, "__dataclass_fields__", {}):
        return {}
    return {"kernel_config": {"enable_flashinfer_autotune": False}}


def _params(asked: Asked) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    return SamplingParams(
        **asked.sampling,
        seed=asked.seed,
        max_tokens=asked.max_tokens,
        stop=list(asked.stop) or None,
        stop_token_ids=sorted(asked.ends) or None,
        ignore_eos=not asked.ends,
        detokenize=bool(asked.stop),  # text is read from the tokens when all are there
        structured_outputs=StructuredOutputsParams(json=dict(asked.schema)) if asked.schema else None,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


@contextmanager
def environment_of(options: Mapping[str, Any]) -> Iterator[None]:
    """The environment that the engine's process is to be started with."""
    before = dict(os.environ)
    kept = environment_without_keys(keep=HUB_KEYS)  # weights may have to be fetched; no other key is an engine's
    wanted = {**UNLESS_SET, **child_environment(kept), **ALWAYS, OPENED_BY: str(os.getpid())}
    if options["batch_invariant"]:
        wanted["VLLM_BATCH_INVARIANT"] = "1"
    changed = {name for name in {*wanted, *before} if wanted.get(name) != before.get(name)}
    _set_environment(changed, wanted)
    try:
        yield
    finally:
        _set_environment(changed, before)


def _set_environment(names: Iterable[str], values: Mapping[str, str]) -> None:
    for name in names:
        os.environ.pop(name, None)
        if name in values:
            os.environ[name] = values[name]
