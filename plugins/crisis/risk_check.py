"""Which of a patient's turns are signs of a crisis, and of which kind.

A crisis is: thoughts of or steps to suicide or self-harm, a wish to be dead, intent to harm somebody, or losing touch
with reality. Sadness, idioms, denials, what is long past and what others did are none. It sees words, not tone: both
error rates on a labelled set stand in docs/safety.md, and no therapist should rely on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, cast

from cbtrun.plugin import Turn

Kind = Literal["harm_to_self", "harm_to_others", "severe_decompensation"]
KINDS: tuple[Kind, ...] = ("harm_to_others", "harm_to_self", "severe_decompensation")


@dataclass(frozen=True)
class Risk:
    """One turn that may be a crisis."""

    turn: int
    """Number of the turn, from 1."""
    kind: Kind
    sentence: str

    @property
    def flag(self) -> str:
        """The flag on a session: `crisis: turn 6 harm_to_self`. The words stay in the turn."""
        return f"crisis: turn {self.turn} {self.kind}"


@dataclass(frozen=True)
class Words:
    """What gives one kind away, and what takes it back."""

    any: re.Pattern[str]
    unless: tuple[re.Pattern[str], ...]


def risk_of(text: str) -> tuple[Kind, str] | None:
    """The kind of crisis that a turn is a sign of, with the sentence; none for most turns."""
    straight = text.replace("’", "'").replace("‘", "'").lower()
    sentences = [part for part in re.split(r"(?<=[.!?])\s+|\n+", straight) if part.strip()]
    for kind, words in _words().items():
        for number, sentence in enumerate(sentences):
            after = " ".join(sentences[number : number + 3])
            if _counts(sentence, after, words):
                return kind, sentence
    return None


def _counts(sentence: str, after: str, words: Words) -> bool:
    """Whether a sentence is a sign: nothing in it takes it back, nor do the two that follow say that it is long over."""
    if not words.any.search(sentence) or any(one.search(sentence) for one in words.unless):
        return False
    return not _long_over().search(after.removeprefix(sentence))


def risks(turns: Sequence[Turn]) -> Iterator[Risk]:
    """Every patient turn that is a sign of a crisis."""
    for number, turn in enumerate(turns, 1):
        if turn.speaker == "patient" and (found := risk_of(turn.text)):
            yield Risk(number, *found)


def crisis_flags(turns: Sequence[Turn]) -> tuple[str, ...]:
    """One flag for each patient turn that is a sign of a crisis."""
    return tuple(risk.flag for risk in risks(turns))


def words_file() -> Path:
    """The file that decides, for fingerprints."""
    return cast(Path, files("cbtrun.plugins.crisis")) / "risk_words.yaml"


@lru_cache(maxsize=1)
def _long_over() -> re.Pattern[str]:
    return re.compile(
        r"\b(?:years ago|years back|i don't any ?more|long behind me|that's over|not now|i've not felt like that since|(?:twenty|ten|fifteen|thirty|\d+) years\b)"
    )


@lru_cache(maxsize=1)
def _words() -> Mapping[Kind, Words]:
    import yaml

    rules = yaml.safe_load(words_file().read_text(encoding="utf-8"))
    everywhere = tuple(map(re.compile, rules["unless_all"]))
    return {
        kind: Words(
            re.compile("|".join(f"(?:{one})" for one in rules[kind]["any"])),
            (*map(re.compile, rules[kind]["unless"]), *everywhere),
        )
        for kind in KINDS
    }
