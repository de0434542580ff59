"""What the GPU did while sessions ran: torch's own trace of some of the engine's steps, added up by kind of kernel."""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

KINDS = {
    "lora": r"lora",
    "attention": r"flash|attn|attention",
    "matrix products": r"gemm|nvjet|cutlass|cublas|splitkreduce|matmul",
    "cache writes": r"reshape_and_cache|slot_mapping|block_table",
    "sampling": r"gumbel|sampl|topk|top_k|softmax|sort|radix|argmax|penalt|temperature",
    "norm, rotary, activation": r"triton_|norm|rotary|silu",
    "copies": r"memcpy|memset|copy",
}
STEP = re.compile(r"execute_(?:context_)?(\d+)\((\d+)\)_(?:generation_)?(\d+)\((\d+)\)")
"""How vLLM names a step: requests (tokens) that are being read, and those that are being written."""


def profiling(folder: Path, steps: int) -> dict[str, Any]:
    """The engine's argument that lets it be profiled for so many steps."""
    return {
        "profiler": "torch",
        "torch_profiler_dir": str(folder),
        "torch_profiler_with_stack": False,
        "torch_profiler_dump_cuda_time_total": False,
        "ignore_frontend": True,
        "max_iterations": steps,
    }


def added_up(folder: Path) -> dict[str, Any]:
    """The trace in a folder: share of time without any kernel, milliseconds a step by kind, and the dearest kernels."""
    events = [event for path in traces(folder) for event in read(path)]
    work = [event for event in events if event.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset")]
    named = sorted(
        (event["ts"], event["dur"], event["name"]) for event in events if event.get("cat") == "user_annotation"
    )
    told = [(start, spent, match) for start, spent, name in named if (match := STEP.search(name))]
    steps = [match for _, _, match in told]
    if not work or not steps:
        return {"events": len(events), "annotations": sorted({name for _, _, name in named})[:8]}
    began, ended = min(event["ts"] for event in work), max(event["ts"] + event["dur"] for event in work)
    kinds: dict[str, float] = defaultdict(float)
    kernels: dict[str, list[float]] = defaultdict(list)
    for event in work:
        kinds[kind_of(event["name"])] += event["dur"]
        kernels[event["name"][:90]].append(event["dur"])
    dearest = sorted(kernels.items(), key=lambda one: -sum(one[1]))[:16]
    tokens = [(int(one[2]), int(one[3])) for one in steps]
    return {
        "steps": len(steps),
        "milliseconds_a_step": round((ended - began) / 1000 / len(steps), 2),
        "idle_share": round(1 - busy((event["ts"], event["ts"] + event["dur"]) for event in work) / (ended - began), 3),
        "by_kind": {name: round(spent / 1000 / len(steps), 3) for name, spent in sorted(kinds.items(), key=lambda one: -one[1])},
        "dearest": {name: [round(sum(all_) / 1000 / len(steps), 3), round(len(all_) / len(steps), 1)] for name, all_ in dearest},
        "reading": of_kind(told, reads=True),
        "writing_alone": of_kind(told, reads=False),
        "steps_that_read": sum(read > 0 for read, _ in tokens),
        "mean_read": round(sum(read for read, _ in tokens) / len(tokens), 1),
        "mean_written": round(sum(written for _, written in tokens) / len(tokens), 1),
        "over_512": sum(int(one[2]) + int(one[4]) > 512 for one in steps),
    }  # fmt: skip


def of_kind(told: Sequence[tuple[float, float, re.Match[str]]], *, reads: bool) -> dict[str, float]:
    """Milliseconds that the processor took for steps that read, or not, and from one's start to the next one's."""
    chosen = [
        (spent, after[0] - start)
        for (start, spent, match), after in itertools.pairwise(told)
        if (int(match[1]) > 0) is reads
    ]
    means = [sum(column) / len(chosen) / 1000 for column in zip(*chosen, strict=True)]
    return dict(zip(("launched_in", "until_the_next"), (round(mean, 2) for mean in means), strict=False))


def kind_of(kernel: str) -> str:
    """The first kind whose pattern a kernel's name has."""
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, kernel, re.IGNORECASE)), "other")


def busy(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of spans."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def traces(folder: Path) -> list[Path]:
    """Trace files in a folder."""
    return sorted(path for path in folder.rglob("*") if path.name.endswith((".json", ".json.gz")))


def read(path: Path) -> list[dict[str, Any]]:
    """Events of a trace file."""
    written = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    events: list[dict[str, Any]] = json.loads(written)["traceEvents"]
    return events
