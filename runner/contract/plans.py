"""What a stage will take, as its plugin tells it: units, calls, tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cbtrun.contract.study_view import StudyView, view_of

TURN_TOKENS = 60
"""Tokens that a plan takes a turn of a session to have."""


@dataclass(frozen=True)
class PlannedCalls:
    """Calls that a stage will make to one model."""

    model: str
    calls: int
    tokens_in: int = 0
    """Estimate, over all calls."""
    tokens_out: int = 0
    """Estimate, over all calls."""


@dataclass(frozen=True)
class Plan:
    """What one stage will take."""

    units: int
    """Records that it will write, where that is known."""
    calls: tuple[PlannedCalls, ...] = ()
    assumed: tuple[str, ...] = ()
    """What the estimate rests on, in words."""
    notes: tuple[str, ...] = ()
    """What a reader should know first, such as the memory that a stage needs and whether it is there."""
    training_tokens: float = 0.0
    """Tokens that a tune job without a corpus learns from, over all its seeds, a pass forwards and backwards each."""
    in_a_row: int = 1
    """Calls of one unit that follow each other, such as the turns of a session; units go side by side."""


@dataclass(frozen=True)
class PlanContext:
    """A stage, for the plugin that estimates it."""

    stage: str
    name: str
    options: Mapping[str, Any]
    study: StudyView
    plans: Mapping[str, Plan] = field(default_factory=dict)
    """Stage id -> plan, for the stages that this one reads."""

    def __post_init__(self) -> None:
        """A plain mapping, as somebody's test may give it, is read as a study too."""
        object.__setattr__(self, "study", view_of(self.study))

    def units(self, stage: str) -> int:
        """Records that an earlier stage will give; 0 when nobody can say."""
        return self.plans[stage].units if stage in self.plans else 0
