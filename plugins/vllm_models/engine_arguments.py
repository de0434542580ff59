"""Arguments of vLLM's engine that a study may give: numbers, switches and names from a list.

vLLM takes many more: names of Python classes to import, other machines to talk to, folders to write. None of those comes
from a study. What `options.py` has an option for is set there, and not here.
"""

from __future__ import annotations

from cbtrun.plugin import Json


def _whole(description: str, least: int = 0, **more: object) -> Json:
    return {"type": "integer", "minimum": least, "description": description, **more}


def _number(description: str) -> Json:
    return {"type": "number", "minimum": 0, "description": description}


def _switch(description: str) -> Json:
    return {"type": "boolean", "description": description}


def _one_of(names: list[str | int], description: str) -> Json:
    return {"enum": names, "description": description}


_SIZES: Json = {
    "type": "array",
    "maxItems": 512,
    "items": {"type": "integer", "minimum": 1},
    "description": "Tokens of the steps that are captured as CUDA graphs.",
}
_LARGEST_GRAPH = _whole("Tokens of the largest step that is captured as a CUDA graph.")

COMPILATION: Json = {
    "type": "object",
    "additionalProperties": False,
    "description": "How steps are compiled and captured; takes the place of cbtrun's choice (docs/gpu.md).",
    "properties": {
        "level": _whole("Older name of mode.", maximum=3),
        "mode": {
            "enum": [0, 1, 2, 3, "NONE", "STOCK_TORCH_COMPILE", "DYNAMO_TRACE_ONCE", "VLLM_COMPILE"],
            "description": "How far the model is compiled; 0 or NONE: not at all.",
        },
        "cudagraph_mode": _one_of(
            ["NONE", "PIECEWISE", "FULL", "FULL_DECODE_ONLY", "FULL_AND_PIECEWISE"], "Which steps are one CUDA graph."
        ),
        "cudagraph_capture_sizes": _SIZES,
        "max_cudagraph_capture_size": _LARGEST_GRAPH,
        "cudagraph_num_of_warmups": _whole("Runs before a graph is captured.", maximum=100),
        "cudagraph_specialize_lora": _switch("Whether steps with and without adapters have graphs of their own."),
        "compile_sizes": {**_SIZES, "description": "Sizes that are compiled by themselves."},
        "use_inductor_graph_partition": _switch("Whether torch's compiler splits the graph."),
        "custom_ops": {
            "type": "array",
            "items": {"type": "string", "pattern": "^(all|none|[+-][a-z0-9_]+)$"},
            "description": "vLLM's own operators: all, none, +name, -name.",
        },
    },
}

SPECULATIVE: Json = {
    "type": "object",
    "additionalProperties": False,
    "required": ["method"],
    "description": "Speculative decoding by what stands in the prompt already; no second model is loaded.",
    "properties": {
        "method": _one_of(["ngram"], "How tokens are guessed."),
        "num_speculative_tokens": _whole("Tokens guessed at a time.", 1, maximum=64),
        "prompt_lookup_max": _whole("Longest run of tokens looked for.", 1, maximum=64),
        "prompt_lookup_min": _whole("Shortest run of tokens looked for.", 1, maximum=64),
    },
}

ALLOWED: Json = {
    "block_size": _one_of([1, 8, 16, 32, 64, 128, 256], "Tokens of a block of the KV cache."),
    "seed": {**_whole("Seed of the engine itself; replies have seeds of their own."), "maximum": 2**32 - 1},
    "swap_space": _number("GiB of the CPU's memory for the KV cache, in versions that have it."),
    "cpu_offload_gb": _number("GiB of weights that are kept in the CPU's memory."),
    "kv_offloading_size": _number("GiB of the CPU's memory for the KV cache."),
    "kv_offloading_backend": _one_of(["native"], "What moves the KV cache to the CPU's memory."),
    "kv_cache_memory_bytes": _whole("Bytes of the KV cache; takes the place of the share of memory.", 1),
    "num_gpu_blocks_override": _whole("Blocks of the KV cache, instead of what was measured.", 1),
    "calculate_kv_scales": _switch("Whether scales of an fp8 cache are computed."),
    "enable_chunked_prefill": _switch("Whether long prompts are read in parts."),
    "max_num_partial_prefills": _whole("Prompts that are read in parts at once.", 1),
    "max_long_partial_prefills": _whole("Long ones of them.", 1),
    "long_prefill_token_threshold": _whole("Tokens from which a prompt is long."),
    "scheduling_policy": _one_of(["fcfs", "priority"], "Who is served first."),
    "async_scheduling": _switch("Whether the next step is planned while one runs."),
    "prefix_caching_hash_algo": _one_of(["sha256", "sha256_cbor", "xxhash", "xxhash_cbor"], "Hash of cached blocks."),
    "attention_backend": _one_of(
        [
            "FLASH_ATTN",
            "FLASHINFER",
            "TRITON_ATTN",
            "FLEX_ATTENTION",
            "TORCH_SDPA",
            "FLASHMLA",
            "CUTLASS_MLA",
            "TRITON_MLA",
        ],
        "Kernels of attention, by vLLM's names.",
    ),
    "disable_cascade_attn": _switch("Whether shared prefixes are read by each reply."),
    "disable_sliding_window": _switch("Whether the window is the whole context."),
    "disable_custom_all_reduce": _switch("Whether GPUs add up through NCCL alone."),
    "pipeline_parallel_size": _whole("GPUs of this machine that layers are spread over, one after the other.", 1),
    "enable_expert_parallel": _switch("Whether experts are spread over the GPUs."),
    "fully_sharded_loras": _switch("Whether adapters are spread over the GPUs, too."),
    "lora_dtype": _one_of(["auto", "float16", "bfloat16", "float32"], "Number format of adapters."),
    "max_parallel_loading_workers": _whole("Processes that load weights at once.", 1),
    "safetensors_load_strategy": _one_of(["lazy", "eager", "prefetch"], "How files of weights are read."),
    "optimization_level": _whole("How much time opening may take for speed.", maximum=3),
    "cudagraph_capture_sizes": _SIZES,
    "max_cudagraph_capture_size": _LARGEST_GRAPH,
    "use_tqdm_on_load": _switch("Whether loading shows its progress."),
    "language_model_only": _switch("Whether a model that also sees loads its language part alone."),
    "skip_mm_profiling": _switch("Whether memory for pictures is not measured."),
    "mm_processor_cache_gb": _number("GiB for pictures that were read."),
    "limit_mm_per_prompt": {
        "type": "object",
        "propertyNames": {"enum": ["image", "video", "audio"]},
        "additionalProperties": {"type": "integer", "minimum": 0},
        "description": "Pictures, films and sounds that a prompt may hold; 0 saves their memory.",
    },
    "compilation_config": COMPILATION,
    "speculative_config": SPECULATIVE,
}
CHOSEN_HERE = (
    *("model", "tokenizer", "revision", "tokenizer_revision", "dtype", "quantization", "load_format", "max_model_len"),
    *("gpu_memory_utilization", "tensor_parallel_size", "kv_cache_dtype", "enable_prefix_caching", "max_num_seqs"),
    *("max_num_batched_tokens", "enforce_eager", "enable_lora", "max_loras", "max_cpu_loras", "max_lora_rank"),
    *(
        "lora_target_modules",
        "trust_remote_code",
        "generation_config",
        "disable_log_stats",
        "structured_outputs_config",
    ),
)
"""vLLM's own arguments that `engine` may not overrule: known to the schema, and refused with a reason of their own."""
QUANTIZATIONS = (
    *(
        "awq",
        "awq_marlin",
        "bitsandbytes",
        "compressed-tensors",
        "experts_int8",
        "fbgemm_fp8",
        "fp8",
        "gptq",
        "gptq_marlin",
    ),
    *("inc", "modelopt", "modelopt_fp4", "moe_wna16", "mxfp4", "ptpc_fp8", "quark", "rtn"),
)
"""vLLM's names; a plugin of vLLM could bring others, which a study does not name."""
ENGINE: Json = {
    "type": "object",
    "default": {},
    "additionalProperties": False,
    "description": "Further arguments of vLLM's engine, e.g. {kv_offloading_size: 32}: numbers, switches and names from lists. "
    "What imports Python, talks to other machines or writes files is no part of a study.",
    "properties": {
        **ALLOWED,
        **{
            name: {"x-internal": True, "description": "Set by cbtrun or by an option of its own."}
            for name in CHOSEN_HERE
        },
    },
}


def handed_on(engine: Json) -> Json:
    """Those of a study's arguments that may go to vLLM: what the schema names, whoever made the mapping."""
    return {name: value for name, value in engine.items() if name in ENGINE["properties"] and name not in CHOSEN_HERE}
