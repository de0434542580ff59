"""Whether a regular expression has a loop that can read one text in two ways: then it may take exponential time.

The body of every loop is laid out as an automaton of its places (Glushkov 1961): which characters may follow which. Two
ways through the loop that read the same and meet again double with every turn (Weideman et al. 2016, "exponential
ambiguity"). What is bounded by a small count is left out: the time limit of a search is there for the rest.
"""

from __future__ import annotations

import string
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

MANY = 5
"""From how many turns on a counted loop is looked at as one without end."""
MOST_PLACES = 600
"""Characters and classes in one loop, its counted parts written out."""
SAMPLE = frozenset(string.printable + "\u00e9\u00df\u2019\u2014\u2026\u4e2d\u00a0\u0663")
"""Characters that stand for all: two classes overlap when they share one of these."""

REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
CHARACTERS = ("IN", "LITERAL", "NOT_LITERAL", "ANY")
ENDLESS = 2**16
"""A loop of more turns is one without end; Python's own mark for it is larger."""


def ambiguous_loop(tree: Any) -> str | None:
    """The first such loop, in words; none for a pattern without. tree: as Python's own parser of patterns gives it."""
    return next(_loops(tree), None)


def _loops(tree: Any) -> Iterator[str]:
    for name, value in tree:
        if str(name) in REPEATS[:2] and value[1] > MANY and (what := _ambiguity(value[2], value[1])):
            yield what
        for part in _inner(str(name), value):
            yield from _loops(part)


def _inner(name: str, value: Any) -> list[Any]:
    """The patterns inside a part of a pattern, as Python's parser has them."""
    if name in REPEATS:
        return [value[2]]
    if name == "SUBPATTERN":
        return [value[3]]
    if name == "BRANCH":
        return list(value[1])
    if name in ("ASSERT", "ASSERT_NOT"):
        return [value[1]]
    if name == "ATOMIC_GROUP":
        return [value]
    return [part for part in value[1:] if part is not None] if name == "GROUPREF_EXISTS" else []


def _ambiguity(body: Any, most: int) -> str | None:
    """What is wrong with a loop over a body; none when every text is read in one way only."""
    if len(body) == 1 and str(body[0][0]) in CHARACTERS:  # `.*` and its like: nearly all there are
        return None
    layout = _Layout()
    whole = layout.loop(layout.sequence(body))
    if layout.full:
        return f"a loop in it has more than {MOST_PLACES} characters"
    if whole.may_be_empty and most < ENDLESS:
        return f"a counted loop in it (up to {most} times) may be empty each time"
    return "a loop in it can read the same text in more than one way" if layout.is_ambiguous() else None


@dataclass(frozen=True)
class _Stretch:
    """A part of a pattern by the places that it may begin and end with."""

    first: tuple[int, ...] = ()
    last: tuple[int, ...] = ()
    may_be_empty: bool = True


@dataclass
class _Layout:
    """The places of a loop's body and which may follow which, in how many ways."""

    characters: list[frozenset[str]] = field(default_factory=list)
    follows: Counter[tuple[int, int]] = field(default_factory=Counter)
    full: bool = False
    empty_twice: bool = False
    """Whether there is a choice between nothing and nothing."""

    def sequence(self, tree: Any) -> _Stretch:
        """Part after part."""
        whole = _Stretch()
        for name, value in tree:
            whole = self._after(whole, self._part(str(name), value))
        return whole

    def loop(self, body: _Stretch) -> _Stretch:
        """The body any number of times, at least once."""
        self.follows.update((last, first) for last in body.last for first in body.first)
        return body

    def is_ambiguous(self) -> bool:
        """Whether two ways part at one place, read the same and meet again."""
        if self.empty_twice or any(ways > 1 for ways in self.follows.values()):
            return True
        after: dict[int, list[int]] = defaultdict(list)
        for one, next_one in self.follows:
            after[one].append(next_one)
        waiting = [(place, place) for place in list(after)]
        seen = set(waiting)
        while waiting:
            one, other = waiting.pop()
            for pair in self._together(after.get(one, ()), after.get(other, ()), same=one == other):
                if pair[0] == pair[1] and one != other:
                    return True
                if pair not in seen:
                    seen.add(pair)
                    waiting.append(pair)
        return False

    def _together(self, ones: Any, others: Any, *, same: bool) -> Iterator[tuple[int, int]]:
        for one in ones:
            for other in others:
                if (one < other or not same) and self.characters[one] & self.characters[other]:
                    yield (one, other) if one <= other else (other, one)

    def _after(self, before: _Stretch, part: _Stretch) -> _Stretch:
        self.follows.update((last, first) for last in before.last for first in part.first)
        return _Stretch(
            before.first + (part.first if before.may_be_empty else ()),
            part.last + (before.last if part.may_be_empty else ()),
            before.may_be_empty and part.may_be_empty,
        )

    def _part(self, name: str, value: Any) -> _Stretch:
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            return self._repeated(*value)
        if name == "SUBPATTERN":
            return self.sequence(value[3])
        if name == "BRANCH":
            ways = [self.sequence(way) for way in value[1]]
            self.empty_twice |= sum(way.may_be_empty for way in ways) > 1
            first = tuple(place for way in ways for place in way.first)
            last = tuple(place for way in ways for place in way.last)
            return _Stretch(first, last, any(way.may_be_empty for way in ways))
        if name in ("ASSERT", "ASSERT_NOT", "AT"):
            return _Stretch()
        if name in ("ATOMIC_GROUP", "POSSESSIVE_REPEAT"):  # gives nothing back, so it is read in one way
            own = _Layout()
            inside = own.sequence(value if name == "ATOMIC_GROUP" else value[2])
            may_be_empty = inside.may_be_empty or (name != "ATOMIC_GROUP" and not value[0])
            return self._place(frozenset[str]().union(*own.characters), may_be_empty)
        return self._place(_characters(name, value), name in ("GROUPREF", "GROUPREF_EXISTS"))

    def _place(self, characters: frozenset[str], may_be_empty: bool = False) -> _Stretch:
        if len(self.characters) >= MOST_PLACES:
            self.full = True
            return _Stretch()
        self.characters.append(characters)
        place = (len(self.characters) - 1,)
        return _Stretch(place, place, may_be_empty)

    def _repeated(self, least: int, most: int, body: Any) -> _Stretch:
        """A loop inside the loop: its counted turns written out, one after the other."""
        whole = _Stretch()
        for _ in range(max(least - (most >= ENDLESS), 0)):
            if self.full:
                return whole
            whole = self._after(whole, self.sequence(body))
        if most >= ENDLESS:
            looped = self.loop(self.sequence(body))
            return self._after(whole, looped if least else _or_nothing(looped))
        rest = _Stretch()
        for _ in range(most - least):  # x{0,3} is (x(x(x)?)?)?, from the inside
            if self.full:
                break
            rest = _or_nothing(self._after(self.sequence(body), rest))
        return self._after(whole, rest)


def _or_nothing(part: _Stretch) -> _Stretch:
    return _Stretch(part.first, part.last, True)


def _characters(name: str, value: Any) -> frozenset[str]:
    """Of the sample, what one place matches, upper and lower case alike."""
    if name == "IN":
        found: frozenset[str] = frozenset()
        for kind, of in value:
            found |= _characters(str(kind), of) if str(kind) != "NEGATE" else frozenset()
        return SAMPLE - found if str(value[0][0]) == "NEGATE" else found
    if name == "LITERAL":
        return _cases(chr(value))
    if name == "NOT_LITERAL":
        return SAMPLE - {chr(value)}
    if name == "RANGE":
        low, high = value
        inside = [_cases(one) for one in (*SAMPLE, chr(low)) if low <= ord(one) <= high]
        return frozenset[str]().union(*inside)
    if name == "CATEGORY":
        kind = str(value).removeprefix("CATEGORY_")
        of_kind = frozenset(one for one in SAMPLE if _KINDS[kind.removeprefix("NOT_")](one))
        return SAMPLE - of_kind if kind.startswith("NOT_") else of_kind
    return SAMPLE  # any character, a back reference, and what this program does not know


_KINDS: dict[str, Callable[[str], bool]] = {
    "DIGIT": str.isdecimal,
    "SPACE": str.isspace,
    "WORD": lambda one: one.isalnum() or one == "_",
}


def _cases(one: str) -> frozenset[str]:
    return frozenset({one, one.lower(), one.upper()})
