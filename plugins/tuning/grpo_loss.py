"""TRL's GRPOTrainer, which also tells how sure the policy was in each session, and sees that no other token carries loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from cbtrun.plugin import StageError


@cache
def loss_trainer() -> type[Any]:
    """The class: TRL is imported when a training begins."""
    from trl.trainer.grpo_trainer import GRPOTrainer

    class SessionTrainer(GRPOTrainer):
        """One row is one session."""

        note_entropy: Callable[[int, float], None] = staticmethod(lambda row, nats: None)  # noqa: ARG005 - nobody listens

        def _generate_and_score_completions(self, inputs: Any) -> Any:
            import torch

            output = super()._generate_and_score_completions(inputs)
            if "tool_mask" not in output:
                raise StageError("TRL has lost the mask of whose tokens are whose: nothing is learnt without it")
            output["row"] = torch.arange(len(inputs), device=output["completion_ids"].device)
            return output

        def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
            found = super()._get_per_token_logps_and_entropies(*args, **kwargs)
            if kwargs.get("compute_entropy"):
                self._entropies = found[1].detach()  # (rows, tokens)
            return found

        def _compute_loss(self, model: Any, inputs: Any) -> Any:
            loss = super()._compute_loss(model, inputs)  # type: ignore[no-untyped-call]
            mask = inputs["completion_mask"] * inputs["tool_mask"]  # what TRL has just multiplied the loss with
            drawn = mask.sum(-1)
            means = (self._entropies * mask).sum(-1) / drawn.clamp(min=1)
            for row, nats, tokens in zip(inputs["row"].tolist(), means.tolist(), drawn.tolist(), strict=True):
                if tokens:
                    self.note_entropy(row, nats)
            return loss

    return SessionTrainer
