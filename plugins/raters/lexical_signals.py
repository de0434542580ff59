"""The measuring of a rubric's signals in one transcript. Knows no rubric: what to look for is in the signal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cbtrun.plugin import BoundedPatterns, Carried, Echo, Phrases, Ratio, Repeated, Signal, Words, bounded
from cbtrun.plugins.raters.lexical_turns import SpokenTurn, content_stems, plain_quotes, turns_within

FEWEST_WORDS = 200
"""A rate for each hundred words assumes at least so many: one sentence in a very short session is no high rate."""


@dataclass(frozen=True)
class Hit:
    """One counted sentence."""

    turn: int
    """Number of the turn, from 1."""
    quote: str
    """The sentence, verbatim."""


@dataclass(frozen=True)
class Measured:
    """What a signal came to in one session."""

    value: float
    unit: str
    """What the value is a number of."""
    hits: tuple[Hit, ...] = ()
    """The counted sentences, or the turn that was measured."""


@dataclass
class Measuring:
    """Measures the signals of one rubric in one session, each once."""

    signals: Mapping[str, Signal]
    turns: Sequence[SpokenTurn]
    _known: dict[str, Measured] = field(default_factory=dict)

    def measure(self, name: str) -> Measured:
        """The signal's value and evidence."""
        if name not in self._known:
            self._known[name] = self._measure(self.signals[name])
        return self._known[name]

    def _measure(self, signal: Signal) -> Measured:
        if isinstance(signal, Words):
            return _words(signal, self.turns)
        if isinstance(signal, Carried):
            return self._carried(signal)
        if isinstance(signal, Ratio):
            above, below = self.measure(signal.of), self.measure(signal.to)
            value = len(above.hits) / max(len(below.hits), signal.at_least)
            return Measured(value, f"for each of {len(below.hits)}", above.hits)
        return self._counted(signal)

    def _counted(self, signal: Phrases | Echo | Repeated) -> Measured:
        mine = [turn for turn in turns_within(self.turns, signal.window) if turn.speaker == signal.speaker]
        taken = {hit for name in signal.unless_counted_by for hit in self.measure(name).hits}
        if isinstance(signal, Repeated):
            inside = {turn.number for turn in mine}
            found = [hit for hit in _repeated(signal, self.turns) if hit.turn in inside]
        else:
            found = [hit for turn in mine for hit in _hits(signal, turn, self.turns)]
        hits = tuple(hit for hit in found if hit not in taken)
        if signal.per == "session":
            return Measured(len(hits), "in the session", hits)
        if signal.per == "hundred_words":
            words = max(sum(turn.words for turn in mine), FEWEST_WORDS)
            return Measured(100 * len(hits) / words, f"for each 100 of {words} words", hits)
        speaking = {turn.number for turn in mine if not turn.listening} | {hit.turn for hit in hits}
        share = len({hit.turn for hit in hits}) / max(len(speaking), 1)
        return Measured(share, f"of {len(speaking)} turns", hits)

    def _carried(self, signal: Carried) -> Measured:
        followed = self.measure(signal.of).hits
        stems = frozenset[str]().union(*(content_stems(hit.quote) for hit in followed))
        hits: list[Hit] = []
        found: set[str] = set()
        for turn in turns_within(self.turns, signal.window):
            if turn.speaker != signal.speaker or turn.number in {hit.turn for hit in followed}:
                continue
            for sentence in turn.sentences:
                if new := (content_stems(sentence) & stems) - found:
                    found |= new
                    hits.append(Hit(turn.number, sentence))
        return Measured(len(found) / max(len(stems), 1), f"of {len(stems)} content words", tuple(hits))


def _hits(signal: Phrases | Echo, turn: SpokenTurn, turns: Sequence[SpokenTurn]) -> Iterator[Hit]:
    heard = _heard(turn, turns, signal.back) if isinstance(signal, Echo) else frozenset()
    for sentence in turn.sentences:
        plain = plain_quotes(sentence)
        if signal.unless and _any(signal.unless).search(plain):
            continue
        if _echoes(signal, plain, heard) if isinstance(signal, Echo) else _any(signal.any).search(plain):
            yield Hit(turn.number, sentence)


def _echoes(signal: Echo, sentence: str, heard: frozenset[str]) -> bool:
    if not signal.questions and "?" in sentence[-3:]:
        return False
    stems = content_stems(sentence)
    shared = len(stems & heard)
    if signal.openings and _any(signal.openings).search(sentence):
        return shared >= 1
    if signal.any and not _any(signal.any).search(sentence):
        return False
    return shared >= signal.shared_words and shared / len(stems) >= signal.shared_part


def _heard(turn: SpokenTurn, turns: Sequence[SpokenTurn], back: int) -> frozenset[str]:
    before = [t for t in turns if t.number < turn.number and t.speaker != turn.speaker and not t.listening]
    return frozenset[str]().union(*(content_stems(t.text) for t in before[-back:]))


def _repeated(signal: Repeated, turns: Sequence[SpokenTurn]) -> list[Hit]:
    """Sentences of the speaker that one earlier sentence of theirs has said, nearly word for word."""
    before: dict[str, list[frozenset[str]]] = {}
    hits = []
    for turn in turns:
        if turn.speaker != signal.speaker:
            continue
        for sentence in turn.sentences:
            stems = content_stems(sentence)
            if len(stems) < signal.fewest_words or (
                signal.unless and _any(signal.unless).search(plain_quotes(sentence))
            ):
                continue
            earlier = {other for stem in stems for other in before.get(stem, ())}
            if any(len(stems & other) >= signal.shared_part * len(stems) for other in earlier):
                hits.append(Hit(turn.number, sentence))
            for stem in stems:
                before.setdefault(stem, []).append(stems)
    return hits


def _any(patterns: tuple[str, ...]) -> BoundedPatterns:
    return bounded(patterns, ignore_case=True)


def _words(signal: Words, turns: Sequence[SpokenTurn]) -> Measured:
    inside = turns_within(turns, signal.window)
    mine = [turn for turn in inside if turn.speaker == signal.speaker]
    if not mine:
        return Measured(0.0, "words")
    longest = max(mine, key=lambda turn: turn.words)
    hits = (Hit(longest.number, longest.sentences[0]),) if longest.sentences else ()
    counted = [turn for turn in mine if not turn.listening] or mine
    words = sum(turn.words for turn in mine)
    if signal.measure == "share":
        return Measured(words / max(sum(turn.words for turn in inside), 1), "of all words", hits)
    if signal.measure == "long_turns":
        long = sum(turn.words > signal.over for turn in counted)
        return Measured(long / len(counted), f"of {len(counted)} turns", hits)
    if signal.measure == "longest_turn":
        return Measured(longest.words, "words in the longest turn", hits)
    return Measured(words / len(mine), "words a turn", hits)
