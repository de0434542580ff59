"""Options of the `vllm` plugin, and which of them make an engine: models that agree in those share one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cbtrun.plugin import Json, digest
from cbtrun.plugins.local_models.gguf_model import GGUF_FILE
from cbtrun.plugins.local_models.sampling_options import SAMPLING
from cbtrun.plugins.thinking.option import THINKING
from cbtrun.plugins.vllm_models.engine_arguments import ENGINE as ENGINE_ARGUMENTS
from cbtrun.plugins.vllm_models.engine_arguments import QUANTIZATIONS

ENGINE = (
    *(
        "model",
        "revision",
        "gguf_file",
        "dtype",
        "quantization",
        "load_format",
        "max_model_len",
        "gpu_memory_utilization",
    ),
    *("tensor_parallel_size", "kv_cache_dtype", "prefix_caching", "max_num_seqs", "max_num_batched_tokens"),
    *("enforce_eager", "batch_invariant", "max_loras", "engine"),
)
"""Options of the engine; the others belong to each request."""
DECIDING = (
    *("dtype", "quantization", "load_format", "max_model_len", "tensor_parallel_size", "kv_cache_dtype"),
    *("batch_invariant", "max_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "ignore_end"),
)
"""Options that decide a reply, besides the weights."""


def engine_key(options: Mapping[str, Any]) -> str:
    """What engine serves a block: the same text for blocks that one engine can serve."""
    return digest({name: options.get(name) for name in ENGINE})


def _count(default: int | None, description: str, **more: Any) -> Json:
    count: Json = {"type": "integer", "minimum": 1, "description": description, **more}
    return count if default is None else {**count, "default": default}


SCHEMA: Json = {
    "type": "object",
    "description": "A local model in vLLM's engine, the base or any of its tuned adapters: one engine serves them all.",
    "required": ["model"],
    "additionalProperties": False,
    "x-weights": True,
    "x-gpu": True,
    "x-elsewhere": "engine",
    "properties": {
        "model": {
            "type": "string",
            "minLength": 1,
            "description": "A local folder, `cbtrun:tiny` (embedded), or a model's name on the Hugging Face hub.",
        },
        "revision": {
            "type": "string",
            "description": "Commit, tag or branch on the hub; give a commit for a study that others can repeat.",
        },
        "gguf_file": GGUF_FILE,
        "dtype": {
            "enum": ["bfloat16", "float16", "float32"],
            "default": "bfloat16",
            "description": "Number format of the weights that are not quantised.",
        },
        "quantization": {
            "enum": list(QUANTIZATIONS),
            "description": "How the weights are quantised, in vLLM's words (bitsandbytes, awq, gptq, fp8 ...); without it "
            "as the model's own settings say.",
        },
        "load_format": {
            "enum": ["safetensors", "bitsandbytes", "dummy"],
            "default": "safetensors",
            "description": "`dummy` makes random weights from config.json: for benchmarks, never for a result.",
        },
        "max_model_len": _count(
            4096, "Most tokens of prompt and reply together; a longer prompt is refused, never cut."
        ),
        "gpu_memory_utilization": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1,
            "default": 0.9,
            "description": "Share of the GPU's memory that the engine takes. Engines whose shares come to at most 1 may be "
            "open at once; others are opened one after the other.",
        },
        "tensor_parallel_size": _count(1, "GPUs that the weights are spread over."),
        "kv_cache_dtype": {
            "enum": ["auto", "fp8"],
            "default": "auto",
            "description": "`fp8` halves what a token takes in the cache, so that twice as many sessions are under way.",
        },
        "prefix_caching": {
            "type": "boolean",
            "default": True,
            "description": "Whether a turn reads only what is new since the last one.",
        },
        "max_num_seqs": _count(256, "Most replies under way at once."),
        "max_num_batched_tokens": _count(
            8192, "Most tokens of one step; more reads prompts faster and lets replies wait longer."
        ),
        "max_loras": _count(None, "Most adapters in one step; without it all that the study has, at most 8."),
        "enforce_eager": {
            "type": "boolean",
            "default": False,
            "description": "Opens in half the time and generates more slowly: no compilation, no CUDA graphs.",
        },
        "batch_invariant": {
            "type": "boolean",
            "default": False,
            "description": "vLLM's kernels whose results do not depend on what else is in the batch "
            "(VLLM_BATCH_INVARIANT=1): replies can be repeated bit for bit, at the price that docs/gpu.md shows.",
        },
        "engine": ENGINE_ARGUMENTS,
        "max_tokens": _count(256, "Most new tokens of a reply, where the request does not say."),
        **SAMPLING,
        "thinking": THINKING,
        "ignore_end": {
            "type": "boolean",
            "default": False,
            "description": "Whether a reply goes on past its end token up to its token limit: for benchmarks.",
        },
    },
}
