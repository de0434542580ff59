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


@dataclass(frozen=True)
class WordList:
    """The whole list, read once."""

    spellings: tuple[tuple[re.Pattern[str], str], ...]
    """What is written otherwise -> as the patterns have it."""
    kinds: Mapping[Kind, Words]
    despite: re.Pattern[str]
    """A denial, or a past, that is none."""
    long_over: re.Pattern[str]
    """In the sentence itself."""
    long_over_after: re.Pattern[str]
    """In the two that follow."""


_CLAUSES = re.compile(
    r"[,;:]? \b(?:but|though|yet|however|until|except)\b |, (?=i (?:just|only|simply|still)\b)|; | [–—-] "
)


LONGEST = 500
"""Characters of a sentence; what has no full stop is read in pieces, or searching it would take for ever."""
_PIECES = re.compile(rf".{{1,{LONGEST}}}(?:\s+|$)|.{{{LONGEST}}}", re.DOTALL)


def risk_of(text: str) -> tuple[Kind, str] | None:
    """The kind of crisis that a turn is a sign of, with the sentence as it is read; none for most turns."""
    words = _words()
    parts = [part for part in re.split(r"(?<=[.!?])\s+|\n+", written_out(text)) if part.strip()]
    sentences = [piece for part in parts for piece in (_PIECES.findall(part) if len(part) > LONGEST else [part])]
    for kind, of_kind in words.kinds.items():
        for number, sentence in enumerate(sentences):
            after = " ".join(sentences[number + 1 : number + 3])
            if _counts(sentence, after, of_kind, words):
                return kind, sentence
    return None


def written_out(text: str) -> str:
    """A turn in lower case with straight quotes, its abbreviations, masked words and common misspellings written out."""
    straight = text.replace("’", "'").replace("‘", "'").lower()
    for pattern, instead in _words().spellings:
        straight = pattern.sub(instead, straight)
    return straight


def _counts(sentence: str, after: str, of_kind: Words, words: WordList) -> bool:
    """Whether a sentence is a sign: no clause of it takes it back, nor do it or the two that follow say that it is long over.

    What one clause denies, the next may say: `I'm not saying I'd do it, but I think about it every day`.
    """
    if not of_kind.any.search(sentence):
        return False
    if words.despite.search(f"{sentence} {after}"):
        return True
    if words.long_over.search(sentence) or words.long_over_after.search(after):
        return False
    clauses = [clause for clause in _CLAUSES.split(sentence) if of_kind.any.search(clause)] or [sentence]
    return any(not any(one.search(clause) for one in of_kind.unless) for clause in clauses)


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
def _words() -> WordList:
    import yaml

    rules = yaml.safe_load(words_file().read_text(encoding="utf-8"))
    everywhere = tuple(map(re.compile, rules["unless_all"]))
    return WordList(
        spellings=tuple((re.compile(pattern), instead) for pattern, instead in rules["spellings"]),
        kinds={
            kind: Words(_any_of(rules[kind]["any"]), (*map(re.compile, rules[kind]["unless"]), *everywhere))
            for kind in KINDS
        },
        despite=_any_of(rules["despite"]),
        long_over=_any_of(rules["long_over"]),
        long_over_after=_any_of(rules["long_over_after"]),
    )


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one})" for one in patterns))
