"""What the user says of a file, so that it need not be found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PURPOSES = ("rate", "tune", "check", "agree", "personas")
"""What a study may be for."""


@dataclass(frozen=True)
class Directions:
    """What the user says of a file, so that it need not be found."""

    to: str = ""
    """One of PURPOSES; empty for what fits."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Our name -> the file's column."""
    speakers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Part -> the file's words for it."""
    begins: str = ""
    """Who begins, where turns alternate and nobody is named: `therapist` or `patient`."""
    where: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    """The column whose levels tell good sessions from poor ones."""
    better: str = ""
    """The level of it that is the better one."""
