"""Several sessions in one row, and attention that keeps them apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

ATTENTION = "cbtrun_packed"
"""Name of `packed_attention` among transformers' attention implementations."""


def packs(lengths: Sequence[int], room: int) -> list[list[int]]:
    """Which rows go together into packs of at most `room` tokens: best fit, longest first; ties in the given order.

    O(n log n) by looking for the fullest pack that still has room. No row may be longer than room.
    """
    from bisect import bisect_left, insort

    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    free: list[tuple[int, int]] = []  # (tokens left, pack), ascending
    found: list[list[int]] = []
    for place in order:
        at = bisect_left(free, (lengths[place], -1))
        if at == len(free):
            found.append([place])
            insort(free, (room - lengths[place], len(found) - 1))
        else:
            left, pack = free.pop(at)
            found[pack].append(place)
            insort(free, (left - lengths[place], pack))
    return found


def register_packed_attention() -> None:
    """Make `packed_attention` known to transformers, without any mask: the boundaries say it all.

    Compiled layers call it as it is: it has nothing to fuse, and each row's own boundaries would compile it anew.
    """
    from torch import compiler
    from transformers import AttentionInterface, AttentionMaskInterface

    uncompiled = compiler.disable(packed_attention)
    AttentionInterface.register(ATTENTION, uncompiled)
    AttentionMaskInterface.register(ATTENTION, lambda *_, **__: None)


def packed_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    cu_seq_lens_q: Tensor | None = None,
    max_length_q: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each session of a packed row.

    query (1, heads, tokens, size), key and value (1, key heads, tokens, size). cu_seq_lens_q (sessions + 1,): where
    each session begins, and the end; without it the row is one session. On a GPU in half precision by torch's varlen
    (FlashAttention) kernel, elsewhere session by session.
    """
    import torch

    if cu_seq_lens_q is None:
        cu_seq_lens_q = torch.tensor([0, query.shape[2]], dtype=torch.int32, device=query.device)
        max_length_q = query.shape[2]
    if query.is_cuda and query.dtype in (torch.bfloat16, torch.float16):
        return _varlen(query, key, value, cu_seq_lens_q, max_length_q or query.shape[2], scaling), None
    return _session_by_session(query, key, value, cu_seq_lens_q.tolist(), scaling), None


def _varlen(query: Tensor, key: Tensor, value: Tensor, starts: Tensor, longest: int, scaling: float | None) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    known = _varlen_parameters()
    groups = query.shape[1] // key.shape[1]
    flat = [one[0].transpose(0, 1) for one in (query, key, value)]  # (tokens, heads, size)
    more: dict[str, Any] = {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    if "scale" in known:
        more["scale"] = scaling
    if groups > 1 and "enable_gqa" in known:
        more["enable_gqa"] = True
    elif groups > 1:
        flat[1:] = [one.repeat_interleave(groups, dim=1) for one in flat[1:]]
    attend: Any = varlen_attn  # its parameters are not the same in every torch
    out: Tensor = attend(*flat, starts, starts, longest, longest, **more)
    return out[None]


@lru_cache(maxsize=1)
def _varlen_parameters() -> frozenset[str]:
    """What it takes: torch 2.10 has is_causal, 2.11 window_size and scale, 2.12 enable_gqa."""
    import inspect

    from torch.nn.attention.varlen import varlen_attn

    return frozenset(inspect.signature(varlen_attn).parameters)


def _session_by_session(
    query: Tensor, key: Tensor, value: Tensor, starts: Sequence[int], scaling: float | None
) -> Tensor:
    import torch
    from torch.nn.functional import scaled_dot_product_attention as attention

    grouped = query.shape[1] != key.shape[1]
    out = [
        attention(
            query[:, :, first:last],
            key[:, :, first:last],
            value[:, :, first:last],
            is_causal=True,
            scale=scaling,
            enable_gqa=grouped,
        )
        for first, last in pairwise(starts)
    ]
    return torch.cat(out, dim=2).transpose(1, 2).contiguous()
