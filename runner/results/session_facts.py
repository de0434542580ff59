"""What results need of the sessions besides their words, gathered in one pass over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cbtrun.contract.digests import derive_seed
from cbtrun.contract.records import Session
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
    places: Mapping[tuple[str, int], tuple[int, str]]
    """Rating set and repeat -> place in the order of asking."""


def session_facts(sessions: Iterable[Session], rated: Mapping[str, RatedSet], seed: int) -> list[SessionFacts]:
    """The facts of every session, each read once. seed: the study's."""
    asked = {
        (name, repeat): derive_seed(seed, f"ratings.{name}")
        for name, one in rated.items()
        for repeat in sorted({repeat for _, _, repeat in next(iter(one.singles.values()), {})})
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
            {(name, repeat): asking_place(session, repeat, of_set) for (name, repeat), of_set in asked.items()},
        )
        for session in sessions
    ]
