"""What a training that learns from sessions asks for: sessions of one policy, each as a row with what it earned.

The training knows no journal, no patient and no rater: it gives an adapter and gets rows. Who holds and rates the sessions
knows no gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cbtrun.contract.reinforced import ControlReward, Rollout, TrainingStep


@dataclass(frozen=True)
class Policy:
    """A model with an adapter that is still in the making."""

    base: str
    """Name of its base in the study's `models`."""
    folder: Path
    """Folder of the adapter."""
    digest: str
    """Of the adapter: part of the key of all that it says."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the base's block that are others for it, such as the temperature."""


@dataclass(frozen=True)
class SessionRow:
    """One whole session as tokens."""

    prompt_ids: tuple[int, ...]
    """What stood before the therapist's first token."""
    completion_ids: tuple[int, ...]
    """All that came after, of both sides, up to the therapist's last token."""
    spoken: tuple[int, ...]
    """1 where the policy drew the token of `completion_ids`, else 0: no other token may carry loss."""
    rollout: Rollout
    """The session, and what it earned; its entropy is for the training to say."""


@dataclass(frozen=True)
class HeldStep:
    """The sessions of one step, group by group, each with as many draws."""

    rows: tuple[SessionRow, ...]
    controls: tuple[ControlReward, ...] = ()


class Rollouts(Protocol):
    """Holds and rates the sessions that a training learns from."""

    def hold(self, step: int, policy: Path, digest: str) -> HeldStep:
        """The rated sessions of a step. policy: folder of the adapter; digest: of the adapter. Asked again it gives the same.

        Raises CbtrunError where the step cannot be held, StopRun where the run ends.
        """

    def why_stop(self, steps: Sequence[TrainingStep]) -> str:
        """Why a declared stop ends the training with the last of these steps; empty where none does."""
