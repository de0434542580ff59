"""Which tokens a training by reinforcement really learns from: those whose log-probability has a gradient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class SeenLoss:
    """What the loss of every pass saw."""

    passes: list[tuple[Any, Any, Any]] = field(default_factory=list)
    """Rows of the step (n,), token ids of their completions (n, tokens), and the log-probabilities with their gradient."""

    def learnt(self) -> dict[int, list[tuple[int, int]]]:
        """Row of a step -> (place in its completion, token id) of each token with a gradient, of the last step that it was in."""
        found: dict[int, list[tuple[int, int]]] = {}
        for rows, ids, chances in self.passes:
            moved = chances.grad != 0
            for at, row in enumerate(rows.tolist()):
                places = moved[at].nonzero().flatten().tolist()
                found[row] = [(place, int(ids[at, place])) for place in places]
        return found


@contextmanager
def seen_loss() -> Iterator[SeenLoss]:
    """Trainings in the block are watched."""
    from cbtrun.plugins.tuning.grpo_loss import loss_trainer

    kind, seen = loss_trainer(), SeenLoss()
    chances, loss = kind._get_per_token_logps_and_entropies, kind._compute_loss

    def watched_chances(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = chances(self, *args, **kwargs)
        if kwargs.get("compute_entropy"):
            found[0].retain_grad()
            self.watched = found[0]
        return found

    def watched_loss(self: Any, model: Any, inputs: Any) -> Any:
        found = loss(self, model, inputs)
        seen.passes.append((inputs["row"], inputs["completion_ids"], self.watched))
        return found

    kind._get_per_token_logps_and_entropies, kind._compute_loss = watched_chances, watched_loss
    try:
        yield seen
    finally:
        kind._get_per_token_logps_and_entropies, kind._compute_loss = chances, loss
