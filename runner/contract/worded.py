"""Which of a rater's ratings of a session one is: the repeat, and with which wording where a rating set has several."""

from __future__ import annotations

from typing import NamedTuple


class Worded(NamedTuple):
    """A rating of a set with `wordings`."""

    wording: str
    """Name of the wording, as the study has it."""
    repeat: int
    """Which repeat with it, from 1."""


Which = int | Worded
"""The repeat alone in sets without wordings."""


def which_rating(repeat: int, wording: str) -> Which:
    """What tells a rating from the others of its rater and session. wording: empty in sets without them."""
    return Worded(wording, repeat) if wording else repeat


def repeat_of(which: Which) -> int:
    """The repeat, from 1."""
    return which if isinstance(which, int) else which.repeat


def wording_of(which: Which) -> str:
    """The wording's name; empty in sets without wordings."""
    return "" if isinstance(which, int) else which.wording
