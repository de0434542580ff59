"""Negative controls of a training: a session with one thing done to it that makes it no better therapy, or worse.

A reward that gives more to the spoiled session than to the session itself will be learnt by whoever spoils. Words are English.
What they cannot show: that a reward which passes is right.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from cbtrun.plugin import CONTROL_KINDS, Session, Turn, derive_seed, digest
from cbtrun.plugins.controls.script import words
from cbtrun.plugins.crisis.risk_check import risk_of
from cbtrun.plugins.wording.phrasing import read_rules

HARMFUL_SHARE = 3
"""One therapist turn of so many is replaced, at least one; the first only where it is the only one."""
HARMS = ("diagnosis", "hopeless", "medicine", "boundary", "go_on")
TERMS = 4
"""Words of jargon behind every sentence."""
Made = tuple[str, Session, Session]
"""Kind, the session as it was held, the control."""
Spoil = Callable[[Session, Sequence[int], random.Random, Sequence[str]], Mapping[int, str]]
"""Session, places of the therapist's turns, random state, words of the rubric -> place -> what is said there instead."""


def controls_of(sessions: Sequence[Session], kinds: Sequence[str], seed: int, terms: Sequence[str] = ()) -> list[Made]:
    """A control of each kind for each session, kind by kind; the same for the same seed and session, in whatever order.

    terms: words of the reward's rubric, strewn in beside those of CBT. What cannot be made is not there: `not_made` says why.
    """
    return [
        (kind, session, _control(kind, session, seed, terms))
        for kind in kinds
        for session in sessions
        if not why_not(kind, session)
    ]


def not_made(sessions: Sequence[Session], kinds: Sequence[str]) -> dict[str, int]:
    """Why controls are not made -> how many."""
    reasons = Counter(why for kind in kinds for session in sessions if (why := why_not(kind, session)))
    return dict(reasons)


def why_not(kind: str, session: Session) -> str:
    """Why there is no such control of a session; empty where there is."""
    if kind not in SPOILS:
        return f"no control is called '{kind}'; known: {', '.join(SPOILS)}"
    return "" if _therapist(session) else "the therapist says nothing in the session"


def _control(kind: str, session: Session, seed: int, terms: Sequence[str]) -> Session:
    rng = random.Random(derive_seed(seed, kind, session.draw))
    instead = SPOILS[kind](session, _therapist(session), rng, terms)
    turns = tuple(
        Turn(speaker=turn.speaker, text=instead[at]) if at in instead else turn for at, turn in enumerate(session.turns)
    )
    return session.model_copy(
        update={
            "id": f"{session.id}~{kind}",
            "draw": digest([kind, session.draw, [[turn.speaker, turn.text] for turn in turns]]),
            "turns": turns,
        }
    )


def _harmful(session: Session, places: Sequence[int], rng: random.Random, _terms: Sequence[str]) -> Mapping[int, str]:
    """A share of the turns is what must never be said; an answer to a sign of crisis is the worst of it."""
    said = words("harmful")
    open_places = list(places[1:] or places)
    count = min(len(open_places), max(1, len(places) // HARMFUL_SHARE))
    chosen = sorted(rng.sample(open_places, count))
    harms = list(HARMS)
    rng.shuffle(harms)
    instead: dict[int, str] = {}
    for number, at in enumerate(chosen):
        heard = session.turns[at - 1].text if at and session.turns[at - 1].speaker == "patient" else ""
        rule = "crisis" if heard and risk_of(heard) else harms[number % len(harms)]
        unsaid = [text for text in said[rule] if text not in instead.values()]
        instead[at] = rng.choice(unsaid or list(said[rule]))
    return instead


def _stuffed(session: Session, places: Sequence[int], rng: random.Random, terms: Sequence[str]) -> Mapping[int, str]:
    """Jargon behind every sentence of the therapist, in no order and to no purpose."""
    known = [*_words()["jargon"], *terms]

    def stuffed(text: str) -> str:
        return " ".join(f"{sentence} {_listed(rng, known)}" for sentence in _sentences(text))

    return {at: stuffed(session.turns[at].text) for at in places}


def _longer(session: Session, places: Sequence[int], rng: random.Random, _terms: Sequence[str]) -> Mapping[int, str]:
    """Every turn of the therapist says itself twice, with words between that say nothing."""
    return {at: f"{session.turns[at].text} {rng.choice(_words()['padding'])} {session.turns[at].text}" for at in places}


def _flattering(
    session: Session, places: Sequence[int], rng: random.Random, _terms: Sequence[str]
) -> Mapping[int, str]:
    """Praise of the patient in every turn, and of the session in the last."""
    instead = {at: f"{session.turns[at].text} {rng.choice(_words()['praise_patient'])}" for at in places}
    instead[places[-1]] += f" {rng.choice(_words()['praise_session'])}"
    return instead


SPOILS: Mapping[str, Spoil] = dict(zip(CONTROL_KINDS, (_harmful, _stuffed, _longer, _flattering), strict=True))
"""Kind -> how it is made."""


def _therapist(session: Session) -> list[int]:
    return [at for at, turn in enumerate(session.turns) if turn.speaker == "therapist" and turn.text.strip()]


def _sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+", text.strip()) if part]


def _listed(rng: random.Random, known: Sequence[str]) -> str:
    listed = ", ".join(rng.sample(known, min(TERMS, len(known))))
    return f"{listed[:1].upper()}{listed[1:]}."


@lru_cache(maxsize=1)
def _words() -> Mapping[str, tuple[str, ...]]:
    return read_rules(Path(__file__).parent / "spoiled.yaml")
