"""What a training has made: is it another model than before, and how likely does it find turns of the corpus?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import StageError
from cbtrun.plugins.local_models.turn_probes import COUNT, LONGEST, Probe, Turn, turn_likelihood
from cbtrun.plugins.tuning.training_rows import UNTRAINED, TrainingRow

if TYPE_CHECKING:
    from torch import Tensor

    from cbtrun.plugins.tuning.preference_rows import PreferenceRow

LEAST = 4
"""Tokens of a turn that is worth asking about."""
ZERO_AT_FIRST = "lora_B"
"""The half of a LoRA adapter that begins as zeros: while it is zero, the adapter changes nothing."""


def check_trainable(model: Any) -> int:
    """Parameters that the training can change. Raises StageError when there are none."""
    count: int = sum(weights.numel() for weights in model.parameters() if weights.requires_grad)
    if not count:
        raise StageError("no weight of this model can be trained: nothing of `lora: target_modules` was put on it")
    return count


def check_loss_mask(rows: Sequence[TrainingRow | PreferenceRow]) -> None:
    """Raises StageError for rows in which the loss sees no token."""
    if all(isinstance(row, TrainingRow) and all(one == UNTRAINED for one in row.labels) for row in rows):
        raise StageError("the loss sees no token of the corpus: no turn of a therapist is left to learn from")


def check_learnt(weights: Mapping[str, Tensor]) -> None:
    """Raises StageError for an adapter that is still what it began as, whatever its curves looked like, or is no number."""
    import torch

    second = [value for name, value in weights.items() if ZERO_AT_FIRST in name]
    if second and not any(bool((value.detach() != 0).any()) for value in second):
        raise StageError(
            "the adapter is what it was before the first step: no weight of it has changed (a learning_rate of 0, a "
            "warm-up as long as the training, or a base whose layers pass no gradient on)"
        )
    if not all(bool(torch.isfinite(value.detach()).all()) for value in second):
        raise StageError(
            "the adapter holds weights that are no numbers: try a lower learning_rate, or precision: float32"
        )


def turns_of(rows: Sequence[TrainingRow | PreferenceRow]) -> tuple[Turn, ...]:
    """Some turns from all over the rows, each with what was said before it as far as it fits."""
    step = max(1, len(rows) // COUNT)
    found = [turn for row in rows[::step] if (turn := _turn(row)) is not None]
    return tuple(found[:COUNT])


def _turn(row: TrainingRow | PreferenceRow) -> Turn | None:
    if not isinstance(row, TrainingRow):
        ids, start, end = (
            (*row.prompt_ids, *row.chosen_ids),
            len(row.prompt_ids),
            len(row.prompt_ids) + len(row.chosen_ids),
        )
    else:
        ids = row.input_ids
        spans = [(start, end) for start, end in _spans(row.labels) if end - start >= LEAST and start > 0]
        if not spans:
            return None
        start, end = max((one for one in spans if one[1] <= LONGEST), default=spans[0])
    end = min(end, start + LONGEST // 2)
    first = max(0, end - LONGEST)
    return Turn(tuple(ids[first:end]), start - first)


def _spans(labels: Sequence[int]) -> list[tuple[int, int]]:
    """Stretches that the loss sees: their starts and ends."""
    seen = [False, *(label != UNTRAINED for label in labels), False]
    edges = [place for place, (before, after) in enumerate(pairwise(seen)) if before != after]
    return list(zip(edges[::2], edges[1::2], strict=True))


def probe_turns(model: Any, turns: Sequence[Turn]) -> tuple[Probe, ...]:
    """How likely the turns are to a PEFT model, with its adapter and without. All processes of a training must ask."""
    import torch

    training = model.training
    model.eval()
    found = []
    with torch.no_grad():
        for turn in turns:
            ids = torch.tensor([turn.ids], device=model.device)
            tuned = turn_likelihood(model(input_ids=ids).logits[0], turn.ids, turn.start)
            with model.disable_adapter():
                base = turn_likelihood(model(input_ids=ids).logits[0], turn.ids, turn.start)
            found.append(Probe(turn.ids, turn.start, base, tuned))
    model.train(training)
    return tuple(found)
