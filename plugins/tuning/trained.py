"""A finished training run, before its adapter is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cbtrun.plugins.local_models.turn_probes import Probe


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
    probes: tuple[Probe, ...] = ()
    """Turns of the corpus, and how likely they are to this model and to its base."""
    trainable: int = 0
    """Parameters that were trained."""
    before: float | None = None
    """Held-out loss before the first step."""
    stopped: str = ""
    """Why it ended before its last step, where it did."""

    def told(self) -> dict[str, Any]:
        """What is said of it beside its weights."""
        return {
            "log": self.log,
            "commit": self.commit,
            "trainable_parameters": self.trainable,
            "loss_before": self.before,
            "probes": [[one.base, one.tuned] for one in self.probes],
        }
