"""Which rows of a step belong to which LoRA adapter, sorted and counted on the host.

vLLM sorts and counts them on the GPU and reads the result back, at every step in which a reply begins or ends. Its process
waits there until the GPU has done the step before, and then the GPU waits until the next one is launched. What is counted is
known on the host, so no answer of the GPU is needed: the counts are sent to it, and nothing waits.

vLLM marks it as to be done (`PunicaWrapperGPU.update_metadata`, seen in 0.24 and 0.33; pull request 53309 there). It calls
`count_on_host` in each of its processes (entry point `vllm.general_plugins`; `VLLM_PLUGINS=cbtrun` leaves it out). Engines
that cbtrun did not open, and a vLLM that does this in another way, are left alone.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbtrun.plugins.vllm_models.orphans import OPENED_BY

NONE = -1
"""Place of a row without an adapter."""
KNOWN_ARGUMENTS = {"self", "mapping", "lora_index_to_id", "max_loras", "vocab_size", "kwargs"}
KNOWN_FIELDS = {
    *("token_lora_mapping", "token_indices_sorted_by_lora_ids", "active_lora_ids", "num_tokens_per_lora"),
    *("lora_token_start_loc", "no_lora_flag_cpu", "num_active_loras_cpu", "captured_lora_counts"),
}

Rows = NDArray[np.int32]


@dataclass(frozen=True)
class AdapterRows:
    """The rows of a step by adapter, as vLLM's kernels read them. Adapters go by their place in the engine, -1 for none."""

    places: Rows
    """(rows,) place of each row's adapter."""
    by_place: Rows
    """(rows,) numbers of the rows, those of one adapter side by side."""
    present: Rows
    """(adapters + 1,) places that occur, in order, -1 among them; -1 after the last."""
    counts: Rows
    """(adapters + 1,) rows of each of these; 0 after the last."""
    starts: Rows
    """(adapters + 2,) where each one's rows start in `by_place`; 0 after the end of the last."""
    distinct: int
    """How many places occur; 0 where no row has an adapter, and then there is nothing to compute."""


def adapter_rows(places: Rows, adapters: int) -> AdapterRows:
    """Sort and count the rows of a step. places: (rows,). adapters: most that a step may have."""
    present, counts = np.unique(places, return_counts=True)
    if present[-1] == NONE:
        present, counts = present[:0], counts[:0]
    starts = np.zeros(adapters + 2, np.int32)
    starts[1 : 1 + len(counts)] = np.cumsum(counts)
    return AdapterRows(
        places=places,
        by_place=np.argsort(places, kind="stable").astype(np.int32),
        present=_padded(present, adapters + 1, NONE),
        counts=_padded(counts, adapters + 1, 0),
        starts=starts,
        distinct=len(present),
    )


def _padded(values: NDArray[Any], length: int, by: int) -> Rows:
    padded = np.full(length, by, np.int32)
    padded[: len(values)] = values
    return padded


def write_rows(meta: Any, places: Rows) -> None:
    """Write a step's rows where the kernels read them. meta: vLLM's LoRAKernelMeta; places: (rows,).

    The GPU gets them in the order of its stream, after all that was launched before.
    """
    rows = adapter_rows(places, meta.active_lora_ids.shape[0] - 1)
    meta.no_lora_flag_cpu[0] = rows.distinct == 0
    # Graphs are captured for some numbers of adapters: the next larger one serves.
    fitting = [count for count in meta.captured_lora_counts if count >= rows.distinct > 0]
    meta.num_active_loras_cpu[0] = min(fitting, default=rows.distinct)
    targets = {
        "token_lora_mapping": rows.places,
        "token_indices_sorted_by_lora_ids": rows.by_place,
        "active_lora_ids": rows.present,
        "num_tokens_per_lora": rows.counts,
        "lora_token_start_loc": rows.starts,
    }
    sent = _sendable(np.concatenate(list(targets.values())), meta.active_lora_ids.is_cuda)
    parts = sent.split([len(values) for values in targets.values()])
    for name, part in zip(targets, parts, strict=True):
        getattr(meta, name)[: len(part)].copy_(part, non_blocking=True)


def _sendable(values: Rows, to_gpu: bool) -> Any:
    import torch

    tensor = torch.from_numpy(values)
    return tensor.pin_memory() if to_gpu else tensor  # only from pinned memory does a copy not wait


def places_of(adapters: Sequence[int], place_to_adapter: Sequence[int | None]) -> Rows:
    """Places of the adapters with these numbers, (rows,); number 0 stands for none."""
    places = {number: place for place, number in enumerate(place_to_adapter) if number is not None}
    places[0] = NONE
    return np.fromiter((places[number] for number in adapters), np.int32, len(adapters))


def count_on_host() -> None:
    """Have vLLM's CUDA kernels told by the host in this process, if it is one of an engine that cbtrun opened."""
    run = os.environ.get(OPENED_BY)
    if run is None or run == str(os.getpid()):
        return
    try:
        from vllm.platforms import current_platform

        if not current_platform.is_cuda():
            return
        from vllm.lora.ops.triton_ops import LoRAKernelMeta
        from vllm.lora.punica_wrapper.punica_gpu import PunicaWrapperGPU
    except ImportError:  # another vLLM than those that we know
        return
    arguments = set(inspect.signature(PunicaWrapperGPU.update_metadata).parameters)
    fields = set(getattr(LoRAKernelMeta, "__dataclass_fields__", ()))
    if arguments == KNOWN_ARGUMENTS and fields >= KNOWN_FIELDS:
        PunicaWrapperGPU.update_metadata = _update


def _update(
    self: Any, mapping: Any, lora_index_to_id: Sequence[int | None], max_loras: int, vocab_size: int, **_kwargs: Any
) -> None:
    """PunicaWrapperGPU.update_metadata: the indices of the layers as vLLM has them, those of the kernels from here."""
    self.is_prefill = mapping.is_prefill
    self._update_base_metadata(mapping, lora_index_to_id, max_loras, vocab_size)
    write_rows(self.token_mapping_meta, places_of(mapping.index_mapping, lora_index_to_id))
    write_rows(self.prompt_mapping_meta, places_of(mapping.prompt_mapping, lora_index_to_id))
