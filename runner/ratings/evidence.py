"""Whether quoted evidence stands in the transcript: looked up by program, word for word.

What does not count as a difference: case, white space, which quotation marks, dashes and ellipsis dots are used, and
composed against decomposed letters. Every other difference does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cbtrun.contract.records import Quote
from cbtrun.ratings.request import ShownTurn

SHORTEST_WORDS, SHORTEST_CHARACTERS = 3, 8

_MARKS = re.compile('[\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u2032\u2033\u00b4`"]')
# White space before a mark is taken from its beginning alone: looked at from each of its places, a padded turn takes minutes.
_DASHES = re.compile("(?:(?<!\\s)\\s++)?[-\u2010-\u2015\u2212\u00ad]++\\s*+")
_DOTS = re.compile(r"(?:(?<!\s)\s++)?(?:\u2026|\.{2,}+|\. \. \.)\s*+")
_INVISIBLE = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_AROUND = "'. "
_WORD = re.compile("[\u3040-\u30ff\u3400-\u9fff]|[^\\W\u3040-\u30ff\u3400-\u9fff]+(?:'\\w+)*")


@dataclass(frozen=True)
class Lookup:
    """What became of one quote."""

    quote: Quote | None
    """The quote with the turn it stands in; none when it stands in no turn, or in several others."""
    problem: str | None = None
    """What is wrong with it, for the rater."""
    note: str | None = None
    """What was mended."""
    short: bool = False
    """Found, but too short to show anything."""


class TurnsSearched:
    """The turns that a rater was shown, ready to be searched."""

    def __init__(self, turns: Sequence[ShownTurn]) -> None:
        self.turns = {turn.number: turn for turn in turns}

    @cached_property
    def plain(self) -> dict[int, str]:
        """Turn number -> text without the differences that do not count."""
        return {number: plain(turn.text) for number, turn in self.turns.items()}

    def look_up(self, number: int, words: str) -> Lookup:
        """Find a quote in the turn it names, else in the only other turn that has it."""
        wanted = plain(words).strip(_AROUND)
        if not wanted:
            return Lookup(None, "empty quote")
        if wanted in self.plain.get(number, ""):
            return Lookup(Quote(turn=number, text=words), short=self._too_short(wanted, number))
        elsewhere = [other for other, text in self.plain.items() if wanted in text]
        if len(elsewhere) == 1:
            [found] = elsewhere
            note = f"turn of a quote corrected from {number} to {found}"
            return Lookup(Quote(turn=found, text=words), note=note, short=self._too_short(wanted, found))
        where = f"but in turns {', '.join(map(str, elsewhere[:5]))}" if elsewhere else "nor in any other turn"
        return Lookup(None, f"evidence not found: {_shown(words)} does not occur in turn {number}, {where}")

    def _too_short(self, wanted: str, number: int) -> bool:
        return _is_short(wanted) and not _is_short(self.plain[number].strip(_AROUND))


def plain(text: str) -> str:
    """The text without the differences that do not count."""
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).casefold()
    text = _DOTS.sub("... ", _DASHES.sub("-", _MARKS.sub("'", text)))
    return " ".join(text.replace("''", "'").split())


def _is_short(wanted: str) -> bool:
    return len(_WORD.findall(wanted)) < SHORTEST_WORDS or len(wanted) < SHORTEST_CHARACTERS


def _shown(words: str, length: int = 80) -> str:
    return repr(words if len(words) <= length else words[: length - 3] + "...")
