"""What a fidelity check is given and what it finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cbtrun.plugin import Persona, Speaker, Turn

MOST_EVIDENCE = 60  # characters of a turn that a flag quotes


@dataclass(frozen=True)
class Case:
    """One session to check."""

    turns: Sequence[Turn]
    persona: Persona | None = None
    """The patient's persona; none where it is not known, and what needs it then finds nothing."""
    prompt: str = ""
    """The patient's system prompt without the persona, whose words nobody should say aloud."""
    max_turns: int | None = None
    """Most turns that the session could have had."""
    language: str = "en"
    """Language that the session should be in; checked when it is one that `wrong_language` knows."""

    def of(self, speaker: Speaker) -> Iterator[tuple[int, str]]:
        """(number from 1, text) of a speaker's turns."""
        return ((number, turn.text) for number, turn in enumerate(self.turns, 1) if turn.speaker == speaker)


@dataclass(frozen=True)
class Finding:
    """One fault in one turn."""

    name: str
    speaker: Speaker
    turn: int
    """Number of the turn, from 1."""
    evidence: str
    """The words that gave it away, or what was counted."""

    @property
    def flag(self) -> str:
        """The flag on a session: `role_swap: patient turn 6, "How does that make you feel?"`."""
        words = re.sub(r"\s+", " ", self.evidence).strip()
        shown = words if len(words) <= MOST_EVIDENCE else words[: MOST_EVIDENCE - 1] + "…"
        return f'{self.name}: {self.speaker} turn {self.turn}, "{shown}"'


@dataclass(frozen=True)
class Check:
    """One kind of fault: what is looked for, from where on it counts, and the search itself."""

    name: str
    measures: str
    """What is measured."""
    threshold: str
    """From where on it is a fault."""
    find: Callable[[Case], Iterator[Finding]]
    """Every turn with the fault, first to last, with the words as evidence."""


def spoken_sentences(text: str) -> list[str]:
    """The sentences of a turn, lists and line breaks taken apart."""
    return [part.strip() for part in re.split(r"(?<=[.!?])[\"')]*\s+|\n+", text) if part.strip()]


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, with curly apostrophes made straight."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", straight(text).lower())


def straight(text: str) -> str:
    """The text with typographic quotes made straight."""
    return text.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
