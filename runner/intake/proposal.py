"""What is proposed for a file: the block that reads it, what was found out on the way, and what it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cbtrun.intake.facts import Facts
from cbtrun.intake.people_scores import PeopleScores


@dataclass(frozen=True)
class Block:
    """A block of a study."""

    stage: str
    """`sessions`, `corpus` or `personas`."""
    name: str
    options: Mapping[str, Any]
    """`using` first; `path` as it was given."""
    whys: Mapping[str, str] = field(default_factory=dict)
    """Option -> the comment behind it."""


@dataclass(frozen=True)
class Proposal:
    """A block, and all that is told of it."""

    source: Path
    """What was given."""
    to: str
    words: str
    """The format."""
    block: Block
    said: tuple[str, ...] = ()
    """Reasons and guesses, in sentences."""
    left_out: tuple[str, ...] = ()
    """What is left out, with how much and why."""
    facts: Facts = field(default_factory=Facts)
    rubric: str = "ctrs"
    scores: PeopleScores | None = None
    """What people scored, and where."""
    scores_in: Path | None = None
