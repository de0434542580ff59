"""Keys and values of a group of rows, and attention in which each row is computed by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

ATTENTION = "cbtrun_rows"
"""Name of `row_attention` among transformers' attention implementations."""


def _cache_argument(model: Any) -> str:
    """The name under which a model takes a cache: transformers 5.24 renamed it."""
    return "cache" if "cache" in signature(model.forward).parameters else "past_key_values"


class RowCache:
    """A cache that a transformers model can be given, always of one size.

    Either every row adds one token at its own place (`for_step`), or one row adds the next piece of its prompt
    (`for_piece`). Positions must be given with every call, and every layer must be one of full attention.
    """

    def __init__(self, model: Any, rows: int, capacity: int) -> None:
        import torch

        config = model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        shape = (config.num_hidden_layers, 2, rows, heads, capacity, size)  # 2: keys, values
        self._store = torch.zeros(shape, dtype=model.dtype, device=model.device)
        self._rows = torch.arange(rows, device=model.device)
        self.places = torch.zeros(rows, dtype=torch.long, device=model.device)  # where each row's next token goes
        self._piece: tuple[int, int, int] | None = None
        self._argument = _cache_argument(model)

    def for_step(self) -> Mapping[str, RowCache]:
        """The model's argument that adds one token to every row."""
        self._piece = None
        return {self._argument: self}

    def for_piece(self, row: int, start: int, end: int) -> Mapping[str, RowCache]:
        """The model's argument that adds the tokens from `start` up to `end` to a row."""
        self._piece = (row, start, end)
        return {self._argument: self}

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Add (rows, heads, tokens, size) to a layer; gives all that the layer may look at, as the model asks."""
        all_keys, all_values = self._store[layer_idx]
        if self._piece is None:
            all_keys[self._rows, :, self.places] = keys[:, :, 0]
            all_values[self._rows, :, self.places] = values[:, :, 0]
            return all_keys, all_values
        row, start, end = self._piece
        all_keys[row, :, start:end] = keys[0]
        all_values[row, :, start:end] = values[0]
        return all_keys[row : row + 1, :, :end], all_values[row : row + 1, :, :end]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens before the piece, as far as models ask; positions are always given."""
        return self._piece[1] if self._piece else 0

    def cut(self, row: int, start: int, end: int) -> Tensor:
        """A copy of a row's tokens from `start` up to `end`: (layers, 2, heads, tokens, size)."""
        return self._store[:, :, row, :, start:end].clone()

    def put(self, row: int, start: int, piece: Tensor) -> None:
        """Write a piece that was cut into a row, at the same place."""
        self._store[:, :, row, :, start : start + piece.shape[-2]] = piece


def row_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    row_lengths: Sequence[tuple[int, int]] | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention of a piece of one prompt, or of one new token of every row.

    query (rows, heads, tokens, size), key and value (rows, key heads, places, size). row_lengths: (row, tokens) of the
    rows in use, when every row adds one token. Each is computed over its own tokens alone: one fused kernel over the
    group gave a row other bits when torch's second thread computed it, and made every row as long as the longest.
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention as attention

    if row_lengths is None:
        grouped = query.shape[1] != key.shape[1]
        out = attention(query, key, value, attn_mask=attention_mask, scale=scaling, enable_gqa=grouped)
        return out.transpose(1, 2).contiguous(), None
    rows, heads, _tokens, size = query.shape
    out = torch.zeros(rows, 1, heads, size, dtype=query.dtype, device=query.device)
    shared = query.view(rows, key.shape[1], heads // key.shape[1], size)  # queries that share keys, side by side
    for row, length in row_lengths:
        own = slice(row, row + 1)
        found = attention(shared[own], key[own, :, :length], value[own, :, :length], scale=scaling)
        out[row] = found.view(1, heads, size)
    return out, None


def register_row_attention() -> None:
    """Make `row_attention` known to transformers."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, row_attention)
