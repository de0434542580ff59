"""The next token of every row, drawn by the row's own random numbers and nobody else's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


COLDEST = 1e-6
"""Below this temperature the likeliest token is taken: odds divided by it are no numbers any more."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn."""

    temperature: float
    """0 takes the likeliest token."""
    top_k: int
    """Keep this many of the likeliest tokens; 0 keeps all."""
    top_p: float
    """Keep the likeliest tokens up to this sum of probability."""
    repetition_penalty: float
    """Divide the odds of tokens that the row already holds; 1 does nothing."""


def uniforms(seed: int, count: int) -> list[float]:
    """As many numbers in [0, 1) as a row may need, from a generator of its own."""
    import torch

    own = torch.Generator().manual_seed(seed & (2**63 - 1))
    numbers: list[float] = torch.rand(count, generator=own, dtype=torch.float64).tolist()
    return numbers


def next_tokens(logits: Tensor, draws: Tensor, sampling: Sampling, seen: Tensor | None = None) -> Tensor:
    """One token id for each row.

    logits (rows, vocabulary) float32; draws (rows,) in [0, 1); seen (rows, vocabulary) true where the row holds the
    token. Every operation works within a row, so that a row's token does not depend on the others. By inversion of
    the cumulative distribution over tokens in order of likelihood: one number a token, whatever the settings.
    """
    import torch

    if seen is not None and sampling.repetition_penalty != 1:
        penalised = torch.where(logits > 0, logits / sampling.repetition_penalty, logits * sampling.repetition_penalty)
        logits = torch.where(seen, penalised, logits)
    if sampling.temperature < COLDEST:
        return logits.argmax(-1)
    kept = min(sampling.top_k or logits.shape[-1], logits.shape[-1])
    values, ids = torch.topk(logits, kept, dim=-1)  # (rows, kept), likeliest first
    shares = torch.softmax(values / sampling.temperature, dim=-1).double()
    reached = shares.cumsum(-1)
    shares = shares.masked_fill(reached - shares >= sampling.top_p, 0.0)  # the likeliest token always stays
    reached = shares.cumsum(-1)
    place = (reached <= draws[:, None] * reached[:, -1:]).sum(-1)
    last = (shares > 0).sum(-1) - 1
    return ids.gather(-1, torch.minimum(place, last)[:, None]).squeeze(-1)
