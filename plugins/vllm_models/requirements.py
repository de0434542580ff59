"""What this machine lacks for vLLM. Cheap: nothing of vLLM or torch is imported."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from cbtrun.plugins.local_models.gpus import gpu_memory

EXTRA = "vLLM is not installed here; pip install 'cbtrun[vllm]'"


def lacking(options: Mapping[str, Any]) -> list[str]:
    """What is missing for a model of this block, in words; empty where it can run."""
    missing = [] if importlib.util.find_spec("vllm") else [EXTRA]
    cards, wanted = len(gpu_memory()), options.get("tensor_parallel_size", 1)
    if not cards:
        missing.append("there is no NVIDIA GPU here")
    elif cards < wanted:
        missing.append(f"tensor_parallel_size is {wanted} and there {'is' if cards == 1 else 'are'} {cards} GPU here")
    return missing
