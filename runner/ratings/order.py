"""The order in which raters get the sessions: drawn from the seed, blind to arms and models."""

from __future__ import annotations

from cbtrun.contract.digests import digest
from cbtrun.contract.records import Session


def asking_place(session: Session, repeat: int, seed: int) -> tuple[int, str]:
    """What ratings are sorted by before they are asked for: repeats one after the other, within each at random.

    Decided by the seed, the draw and the words said: never by an arm's or a model's name.
    """
    said = [[turn.speaker, turn.text] for turn in session.turns]
    return repeat, digest([seed, repeat, session.draw, said])
