"""A finished training run, before its adapter is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trained:
    """A finished training run."""

    model: Any
    """The PEFT model, its adapter not merged."""
    log: tuple[dict[str, Any], ...]
    """One entry a step: step, loss, learning_rate, tokens (seen so far, padding left out), held_out_loss at times."""
    commit: str | None
    """The base's commit on the hub."""
    weights: dict[str, Any] | None = None
    """All weights, where the model holds only its share of them."""
