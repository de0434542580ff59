"""Is the model that speaks the one that was trained? Turns whose likelihood the trainer wrote down, asked again later.

A trainer and an engine are two programs that read one adapter. Rank scaling, tied layers, another chat template or another file
can make them two models, and both look healthy: curves fall, replies read well. So a training leaves some turns beside its
adapter, with their mean log-probability a token under the base and under the tuned model, and whoever speaks with the adapter
computes the same. How far the two disagree on the base is their rounding; on the tuned model they may disagree by as much.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import WrongModel, write_atomically

if TYPE_CHECKING:
    from torch import Tensor

FILE = "probes.words.json"
"""Beside the adapter, and no part of its digest. It holds words of the corpus: `cbtrun forget` removes `*.words.json`."""
AGREED = "agreement.json"
COUNT = 8
LONGEST = 512
"""Tokens of a probe, its turn included: an engine holds the logits of all of them at once."""
FLOOR = 0.01
"""Nats a token that two engines may always differ by on the tuned model: bfloat16 rounds an adapter's small part of a sum
otherwise when it is added before the product than after."""
TIMES = 3.0
"""The disagreement on the tuned model may be so many times that on the base."""
MOST = 0.5
"""Nats a token on the base that no number format accounts for: 4-bit weights move a small model by 0.1 to 0.2. Untied or unread
output layers, and other weights, move it by more than one."""


@dataclass(frozen=True)
class Turn:
    """A turn with what was said before it, as tokens."""

    ids: tuple[int, ...]
    start: int
    """Place of the turn's first token."""


@dataclass(frozen=True)
class Probe:
    """A turn, and how likely its tokens were to the trainer."""

    ids: tuple[int, ...]
    start: int
    base: float
    """Mean natural logarithm of a token's probability, under the base alone."""
    tuned: float
    """The same under the base with the adapter."""


@dataclass(frozen=True)
class Agreement:
    """How far an engine's likelihoods are from the trainer's, in nats a token (root mean square over the probes)."""

    base: float
    tuned: float
    learnt: float = math.inf
    """How far the trainer's own likelihoods with the adapter are from those without."""

    @property
    def allowed(self) -> float:
        """The most that is still rounding; less than half of what was learnt, else no adapter at all would pass."""
        return max(FLOOR, min(TIMES * self.base, self.learnt / 2))

    @property
    def holds(self) -> bool:
        """Whether it is the same model, as far as the probes tell."""
        return self.base <= MOST and self.tuned <= self.allowed  # no number at all is no agreement


def write_probes(folder: Path, probes: Sequence[Probe]) -> None:
    """Leave the probes in an adapter's folder."""
    write_atomically(folder / FILE, json.dumps([asdict(one) for one in probes]) + "\n")


def read_probes(folder: Path) -> tuple[Probe, ...]:
    """The probes of an adapter; none where its training left none (a version before, or a training elsewhere)."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return tuple(Probe(tuple(one["ids"]), one["start"], one["base"], one["tuned"]) for one in found)
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def agreement(probes: Sequence[Probe], base: Sequence[float], tuned: Sequence[float]) -> Agreement:
    """An engine's mean log-probabilities of the probes, beside the trainer's."""
    before, after = [one.base for one in probes], [one.tuned for one in probes]
    return Agreement(_distance(before, base), _distance(after, tuned), _distance(before, after))


def _distance(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return math.sqrt(math.fsum((a - b) ** 2 for a, b in zip(ours, theirs, strict=True)) / len(ours))


def note_agreement(folder: Path, engine: str, found: Agreement) -> None:
    """Leave beside the adapter what an engine came to, for the report; a folder that cannot be written goes without."""
    told = {
        "engine": engine,
        "base": round(found.base, 5),
        "tuned": round(found.tuned, 5),
        "allowed": round(found.allowed, 5),
    }
    with suppress(OSError):
        write_atomically(folder / AGREED, json.dumps(told) + "\n")


def refuse_another_model(found: Agreement, who: str) -> None:
    """Raises WrongModel where the engine and the trainer disagree by more than rounding."""
    if found.holds:
        return
    if not found.base <= MOST:
        raise WrongModel(
            f"{who} does not stand on the base that was trained: over {COUNT} turns of the corpus the base's own "
            f"log-probability a token is {found.base:.3f} nats from the trainer's; {MOST} would be the most. Other weights, an "
            "output layer that is read otherwise (tied or not), or another tokenizer; nothing was said with it"
        )
    raise WrongModel(
        f"{who} is not the model that was trained: over {COUNT} turns of the corpus its log-probability a token is "
        f"{found.tuned:.3f} nats from the trainer's with the adapter, and {found.base:.3f} without; {found.allowed:.3f} would be "
        "rounding. Another adapter, base or chat template than in training, or an engine that reads this adapter otherwise; "
        "nothing was said with it"
    )


def likelihoods(probes: Sequence[Probe], logits_of: Callable[[Sequence[int]], Tensor]) -> list[float]:
    """Mean log-probabilities of the probes. logits_of: gives (tokens, vocabulary) for token ids."""
    return [turn_likelihood(logits_of(one.ids), one.ids, one.start) for one in probes]


def turn_likelihood(logits: Tensor, ids: Sequence[int], start: int) -> float:
    """Mean natural logarithm of the probability of the tokens from `start` on. logits: (tokens, vocabulary)."""
    import torch

    wanted = torch.tensor(ids[start:], device=logits.device)
    chances = torch.log_softmax(logits[start - 1 : len(ids) - 1].float(), dim=-1)
    return float(chances.gather(1, wanted[:, None]).double().mean())


def read_in_pieces(model: Any, ids: Sequence[int], piece: int) -> Tensor:
    """Logits (tokens, vocabulary) of a model with row attention, read as it reads every prompt."""
    import torch

    from cbtrun.plugins.local_models.fixed_shape import forward_piece
    from cbtrun.plugins.local_models.row_cache import RowCache

    cache = RowCache(model, 1, len(ids))
    found = []
    with torch.inference_mode():
        for start in range(0, len(ids), piece):
            part = list(ids[start : start + piece])
            found.append(forward_piece(model, cache, 0, start, part, len(part)).logits[0])
    return torch.cat(found)
