"""What three known limitations of tuned therapists look like turn by turn: agenda, depth and coherence.

Measured by program in every turn of the therapist, so that each can be drawn against the turn's number and the tokens of
context before it. Words, not meanings: good for a curve within a study, not for saying that a therapist is good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cbtrun.plugin import Session, Turn
from cbtrun.plugins.raters.lexical_turns import content_stems

MEASURES = {
    "agenda": "Agenda adherence: turns that take up a word of the agreed agenda",
    "depth": "Depth: turns whose question takes up what was just said",
    "coherence": "Coherence: turns that take up something said before and do not repeat the therapist",
}
SETS_AGENDA = re.compile(
    r"\bagenda\b|\b(?:would you like|want|need|shall we|let's|like us) (?:us )?to (?:work|talk|focus|discuss|look|start|use)\b"
    r"|\bfocus on (?:today|first)\b|\bwork on today\b",
    re.IGNORECASE,
)
AGENDA_PART = 0.4  # of the session within which an agenda is set, if at all
CHARACTERS_A_TOKEN = 4  # of English, for a count that is the same for every model
REPEATED = 0.8  # share of a turn's content words that were in one earlier turn


@dataclass(frozen=True)
class TurnMeasure:
    """One turn of a therapist."""

    turn: int
    """Number of the turn, from 1."""
    tokens: int
    """Tokens of the session before it, estimated at four characters each."""
    values: dict[str, float]
    """Measure -> 1 or 0; a measure that the turn cannot have (no agenda was set) is missing."""


def turn_measures(session: Session) -> Iterator[TurnMeasure]:
    """Every turn of the therapist after the first two of the session."""
    agenda, since = agenda_words(session.turns)
    tokens = 0
    for number, turn in enumerate(session.turns, 1):
        before = session.turns[: number - 1]
        if turn.speaker == "therapist" and len(before) >= 2:
            values = {"depth": _deep(turn.text, before), "coherence": _coherent(turn.text, before)}
            if agenda and number > since:
                values["agenda"] = float(bool(_stems(turn.text) & agenda))
            yield TurnMeasure(number, tokens, values)
        tokens += len(turn.text) // CHARACTERS_A_TOKEN


def agenda_words(turns: Sequence[Turn]) -> tuple[frozenset[str], int]:
    """Content words of what was agreed on, and the number of the turn that agreed; nothing where no agenda was set."""
    for number, turn in enumerate(turns[: max(4, round(len(turns) * AGENDA_PART))], 1):
        if turn.speaker == "therapist" and SETS_AGENDA.search(turn.text):
            answer = turns[number].text if number < len(turns) else ""
            words = _stems(answer) | _stems(SETS_AGENDA.sub(" ", turn.text))
            return words, number + 1
    return frozenset(), 0


def _deep(text: str, before: Sequence[Turn]) -> float:
    last = before[-1].text if before[-1].speaker == "patient" else ""
    return float("?" in text and bool(_stems(text) & _stems(last)))


def _coherent(text: str, before: Sequence[Turn]) -> float:
    own = _stems(text)
    known = frozenset(word for turn in before for word in _stems(turn.text))
    repeats = any(
        len(own) >= 4 and len(own & _stems(turn.text)) >= REPEATED * len(own)
        for turn in before
        if turn.speaker == "therapist"
    )
    return float(bool(own & known) and not repeats)


def _stems(text: str) -> frozenset[str]:
    return frozenset(content_stems(text))
