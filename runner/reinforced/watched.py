"""What is watched in a reinforcement training: its sessions by step, each with reward, witness and persona."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cbtrun.contract.reinforced import Rollout, TrainingStep


@dataclass(frozen=True)
class Pair:
    """One session that reward and witness have both scored, each in its own points."""

    persona: str
    reward: float
    witness: float


def witnesses_of(steps: Sequence[TrainingStep]) -> tuple[str, ...]:
    """Every witness, `rating set.outcome`, in the order in which the training names them."""
    return tuple(dict.fromkeys(name for step in steps for one in step.rollouts for name in one.witness))


def pairs_of(steps: Sequence[TrainingStep], witness: str, *, turned: bool = False) -> list[Pair]:
    """The sessions of these steps that both have scored; the reward's rating is taken before any veto.

    turned: the witness is taken with its sign turned round, since more of it is worse.
    """
    return [
        Pair(one.persona, one.rewarded, -seen if turned else seen)
        for one in rollouts_of(steps)
        if one.rewarded is not None and (seen := one.witness.get(witness)) is not None
    ]


def rollouts_of(steps: Sequence[TrainingStep]) -> list[Rollout]:
    """All sessions of these steps."""
    return [one for step in steps for one in step.rollouts]


def vetoed_share(steps: Sequence[TrainingStep]) -> float | None:
    """Share of the sessions of these steps that a veto left without reward; none where there is no session."""
    held = rollouts_of(steps)
    return sum(bool(one.veto) for one in held) / len(held) if held else None
