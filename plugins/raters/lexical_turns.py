"""A transcript as the lexical rater sees it: turns, sentences and the stems of their content words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

LISTENING_WORDS = 2
"""A turn of so few words ("Mm-hm.") is a sign of listening and not counted among a speaker's turns."""

# Function words and the fillers of speech: sharing them says nothing about having listened.
_EMPTY_WORDS = """
a about above actually after again against ah all almost also am an and any anything are aren as at away back
be because been before being below between bit both but by came can cannot come could couldn did didn do does
doesn doing don done down during each either else enough er even ever every everything few for from further
gave get gets getting give go goes going gonna good got had hadn has hasn have haven having he her here hers
herself hey hi him himself his hmm how huh i if in into is isn it its itself just kind know let like ll lot
made make makes many may maybe me mean might mm more most much must my myself need never no nor not nothing
now of off oh ok okay on once one only or other our ours ourselves out over own part people pretty probably
put quite rather re really right said same say saying says see seem seems seen she should shouldn so some
something sometimes sort still such sure take tell than thank thanks that the their theirs them themselves
then there these they thing things think this those though thought through to today told too took two uh um
under until up upon us ve very wanna want wants was wasn way we well went were weren what whatever when where
which while who whom why will with won would wouldn yeah yep yes yet you your yours yourself yourselves
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<![.?!])[.?!]++[\"'\u201d\u2019)\]]*(?=\s|$)|\n")
_LONGEST_SENTENCE = 600
"""Characters: speech that never ends, or a model that repeats itself, must not make the patterns slow."""
_ENDINGS = re.compile("(?:ations|ation|ingly|ings|ness|ment|edly|ing|ied|ies|ion|est|ers|ed|ly|es|er|s|e|y)$")


@dataclass(frozen=True)
class SpokenTurn:
    """One turn, with its number in the session from 1."""

    number: int
    speaker: str
    text: str

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """Its sentences, verbatim: each occurs in `text` as it stands."""
        pieces = (piece.strip() for whole in _split(self.text) for piece in _cut(whole))
        return tuple(piece for piece in pieces if _WORD.search(piece))

    @cached_property
    def words(self) -> int:
        """Number of words, as separated by white space."""
        return len(self.text.split())

    @property
    def listening(self) -> bool:
        """Whether it is no more than a sign of listening."""
        return self.words <= LISTENING_WORDS


def _split(text: str) -> Iterator[str]:
    start = 0
    for end in _SENTENCE_END.finditer(text):
        yield text[start : end.end()]
        start = end.end()
    yield text[start:]


def _cut(sentence: str) -> Iterator[str]:
    while len(sentence) > _LONGEST_SENTENCE:
        space = sentence.rfind(" ", 1, _LONGEST_SENTENCE)
        at = space if space > 0 else _LONGEST_SENTENCE
        yield sentence[:at]
        sentence = sentence[at:]
    yield sentence


def plain_quotes(text: str) -> str:
    """The text with straight apostrophes, as patterns are written."""
    return text.replace("\u2019", "'")


def stem(word: str) -> str:
    """The word without its ending, so that "worrying" meets "worried"; crude, the same for all speakers."""
    word = word.lower()
    ending = _ENDINGS.search(word, 3)
    word = word[: ending.start()] if ending else word
    word = word[:-1] if len(word) > 3 and word[-1] in "iey" else word
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


@lru_cache(maxsize=2**14)  # a report asks it of each turn with each of the turns before
def content_stems(text: str) -> frozenset[str]:
    """Stems of the words that carry content: neither function words nor fillers nor single letters."""
    words = (found.group().lower() for found in _WORD.finditer(text))
    return frozenset(stem(word) for word in words if len(word) > 1 and word not in _EMPTY)


def turns_within(turns: Sequence[SpokenTurn], window: tuple[float, float]) -> list[SpokenTurn]:
    """The turns whose middle lies in that part of the session; at least the turn next to it."""
    inside = [turn for at, turn in enumerate(turns) if window[0] <= (at + 0.5) / len(turns) <= window[1]]
    if inside or not turns:
        return inside
    return [turns[min(int(window[0] * len(turns)), len(turns) - 1)]]
