"""Keys and values of a group of rows, in one block of memory whose shape never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


class RowCache:
    """A cache that a transformers model can be given as `past_key_values`.

    Either every row adds one token at its own place (`for_step`), or a single row adds the next piece of its prompt
    (`for_piece`). It needs masks and positions to be given with every call, and full attention in every layer.
    """

    def __init__(self, model: Any, rows: int, capacity: int) -> None:
        import torch

        config = model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        shape = (config.num_hidden_layers, 2, rows, heads, capacity, size)  # 2: keys, values
        self.capacity = capacity
        # Zeros, not whatever lies there: a masked place counts nothing, but not-a-number times nothing is not nothing.
        self._store = torch.zeros(shape, dtype=model.dtype, device=model.device)
        self.slots = torch.arange(rows, device=model.device)
        self.places = torch.zeros(rows, dtype=torch.long, device=model.device)  # where each row's next token goes
        self._piece: tuple[int, int] | None = None

    def for_step(self) -> RowCache:
        """Itself, ready to add one token to every row."""
        self._piece = None
        return self

    def for_piece(self, start: int, end: int) -> RowCache:
        """Itself, ready to add the tokens from `start` up to `end` to its only row."""
        self._piece = (start, end)
        return self

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Add (rows, heads, tokens, size) to a layer; gives all that the layer may look at, as the model asks."""
        all_keys, all_values = self._store[layer_idx]
        if self._piece is None:
            all_keys[self.slots, :, self.places] = keys[:, :, 0]
            all_values[self.slots, :, self.places] = values[:, :, 0]
            return all_keys, all_values
        start, end = self._piece
        all_keys[:, :, start:end] = keys
        all_values[:, :, start:end] = values
        return all_keys[:, :, :end], all_values[:, :, :end]

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002 - asked with a layer, the same for all
        """Tokens before the piece, as far as models ask; positions are always given."""
        return self._piece[0] if self._piece else 0

    def cut(self, start: int, end: int) -> Tensor:
        """A copy of the only row's tokens from `start` up to `end`: (layers, 2, heads, tokens, size)."""
        return self._store[:, :, 0, :, start:end].clone()

    def put(self, start: int, piece: Tensor) -> None:
        """Write a piece that was cut back to its place in the only row."""
        self._store[:, :, 0, :, start : start + piece.shape[-2]] = piece

    def take(self, slot: int, other: RowCache, length: int) -> None:
        """Copy the first tokens of another cache's only row into a row of this one."""
        self._store[:, :, slot, :, :length] = other._store[:, :, 0, :, :length]
