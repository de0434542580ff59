"""What this machine lacks for vLLM. Cheap: nothing of vLLM or torch is imported."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from cbtrun.plugin import machines_elsewhere
from cbtrun.plugins.local_models.gpus import gpu_memory

EXTRA_ELSEWHERE = "vLLM is not installed on every machine of the cluster; pip install 'cbtrun[vllm]' there"
EXTRA = "vLLM is not installed here; pip install 'cbtrun[vllm]'"


def lacking(options: Mapping[str, Any]) -> list[str]:
    """What is missing for a model of this block, in words; empty where it can run."""
    machines = machines_elsewhere()
    there = "vllm" in machines.packages if machines is not None else importlib.util.find_spec("vllm") is not None
    missing = [] if there else [EXTRA if machines is None else EXTRA_ELSEWHERE]
    cards, wanted = len(gpu_memory()), options.get("tensor_parallel_size", 1)
    if not cards:
        missing.append("there is no NVIDIA GPU here")
    elif cards < wanted:
        missing.append(f"tensor_parallel_size is {wanted} and there {'is' if cards == 1 else 'are'} {cards} GPU here")
    return missing
