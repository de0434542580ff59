"""What results need of the sessions besides their words, gathered in one pass over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cbtrun.contract.digests import derive_seed
from cbtrun.contract.records import Session
from cbtrun.contract.worded import Which, repeat_of
from cbtrun.ratings.order import asking_place
from cbtrun.scores.rated_sets import RatedSet


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A session without its words: thousands fit into memory."""

    id: str
    persona: str | None
    arm: str | None
    factors: Mapping[str, str]
    flags: tuple[str, ...]
    labels: Mapping[str, str]
    turns: int
    words: int
    """Of the therapist."""
    places: Mapping[tuple[str, Which], tuple[int, str]]
    """Rating set and which rating -> place in the order of asking."""


def session_facts(sessions: Iterable[Session], rated: Mapping[str, RatedSet], seed: int) -> list[SessionFacts]:
    """The facts of every session, each read once. seed: the study's."""
    asked = {
        (name, which): derive_seed(seed, f"ratings.{name}")
        for name, one in rated.items()
        for which in dict.fromkeys(which for _, _, which in next(iter(one.singles.values()), {}))
    }
    return [
        SessionFacts(
            session.id,
            session.persona,
            session.arm,
            session.factors,
            session.flags,
            session.labels,
            len(session.turns),
            sum(len(turn.text.split()) for turn in session.turns if turn.speaker == "therapist"),
            {(name, which): asking_place(session, repeat_of(which), of_set) for (name, which), of_set in asked.items()},
        )
        for session in sessions
    ]
