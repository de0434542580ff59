"""Repetition: a speaker who says the same again and again, or says the other's words back."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from cbtrun.plugin import Speaker
from cbtrun.plugins.fidelity.finding import Case, Check, Finding, words_of

FEWEST_WORDS = 7  # of a turn that is compared: everybody says "I don't know" twice
LONG = 16  # words of a turn of which one repeat is enough
SHARED = 0.8  # share of word pairs in common, from which on two turns are the same
LOOP_PAIRS = 4  # times that four words in a row come again within a turn


def _find(case: Case) -> Iterator[Finding]:
    for speaker in ("patient", "therapist"):
        yield from _of_speaker(case, speaker)


def _of_speaker(case: Case, speaker: Speaker) -> Iterator[Finding]:
    said = [(number, text, words_of(text)) for number, text in case.of(speaker)]
    other = [(number, words_of(turn.text)) for number, turn in enumerate(case.turns, 1) if turn.speaker != speaker]
    again = 0
    for place, (number, text, words) in enumerate(said):
        if looped(words):
            yield Finding("repetition", speaker, number, text)
        if len(words) < FEWEST_WORDS:
            continue
        own = any(alike(words, earlier) for _, _, earlier in said[:place])
        others = speaker == "patient" and any(alike(words, heard) for at, heard in other if at < number)
        again += own or others
        if (own or others) and (again >= 2 or len(words) >= LONG):
            yield Finding("repetition", speaker, number, text)


def alike(words: Sequence[str], earlier: Sequence[str]) -> bool:
    """Whether two turns are the same but for a few words; a repeat with something put before or after it too."""
    if len(earlier) < FEWEST_WORDS or len(words) < FEWEST_WORDS:
        return False
    one, two = _pairs(tuple(words)), _pairs(tuple(earlier))
    shared = _in_both(one, two)
    shorter = min(one.total(), two.total())
    longer = max(one.total(), two.total())
    return (
        shared >= 0.7 * longer or (shared >= 0.9 * shorter and shorter >= 0.6 * longer) or _same_words(words, earlier)
    )


def _same_words(words: Sequence[str], earlier: Sequence[str]) -> bool:
    if len(words) < 10:
        return False
    return _in_both(_counted(tuple(words)), _counted(tuple(earlier))) >= SHARED * max(len(words), len(earlier))


def _in_both(one: Counter[Any], two: Counter[Any]) -> int:
    return sum(min(count, two[what]) for what, count in one.items() if what in two)


@lru_cache(maxsize=4096)
def _pairs(words: tuple[str, ...]) -> Counter[tuple[str, str]]:
    """Counted once for all turns that are compared with this one."""
    return Counter(itertools.pairwise(words))


@lru_cache(maxsize=4096)
def _counted(words: tuple[str, ...]) -> Counter[str]:
    return Counter(words)


def looped(words: Sequence[str]) -> bool:
    """Whether a turn goes round in circles: the same three words four times and more than a third of the turn."""
    threes = Counter(zip(words, words[1:], words[2:], strict=False))
    if not threes or len(words) < 12:
        return False
    times = max(threes.values())
    return times >= LOOP_PAIRS and sum(count for count in threes.values() if count >= 3) * 3 >= len(words) * 1.5


CHECK = Check(
    name="repetition",
    measures="turns nearly the same as an earlier one (by pairs of words), turns of the other said back, loops in a turn",
    threshold=f"two repeats of turns of {FEWEST_WORDS} words or one of {LONG}; three words said {LOOP_PAIRS} times over half a turn",
    find=_find,
)
