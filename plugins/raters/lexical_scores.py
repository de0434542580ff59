"""From measured signals to the scores of a rubric's items, each with its rationale and the words that were counted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from cbtrun.plugins.raters.lexical_signals import Hit, Measured, Measuring
from cbtrun.plugins.raters.lexical_turns import SpokenTurn
from cbtrun.ratings.reasons import NOT_APPLICABLE
from cbtrun.ratings.rubric import Item, Measurement, Rubric

QUOTES_PER_ITEM = 6
"""Counted sentences that are quoted for one item; the rationale says how many there were."""

WORDS_PER_QUOTE = 3
"""A shorter sentence ("How so?") is quoted with its neighbours in the turn: alone it would be found anywhere."""


def score_items(rubric: Rubric, turns: Sequence[SpokenTurn], items: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Item id -> rationale, evidence, absent, score and unscored_reason, as a model would answer."""
    measuring = Measuring(rubric.signals, turns)
    silent = not any(turn.speaker == rubric.speaker for turn in turns)
    return {id: _answer(rubric.item(id), rubric, measuring, silent) for id in items}


def points_for(value: float, points: Sequence[tuple[float, float]]) -> float:
    """Points of a measured value: straight lines between the pairs, flat beyond the first and the last."""
    if value <= points[0][0]:
        return points[0][1]
    for (left, low), (right, high) in pairwise(points):
        if value <= right:
            return low + (high - low) * (value - left) / (right - left)
    return points[-1][1]


def _answer(item: Item, rubric: Rubric, measuring: Measuring, silent: bool) -> dict[str, Any]:
    if silent:
        return _unscored(f"no turn of the {rubric.speaker} in the transcript")
    if item.type == "text":
        return _unscored("an item of type text cannot be measured by a program")
    if item.applies_if and not measuring.measure(item.applies_if).hits:
        return _unscored(NOT_APPLICABLE)
    if not item.signals:
        return _unscored("the rubric names no signals for this item")
    measured = [(wanted, measuring.measure(wanted.signal)) for wanted in item.signals]
    score = _within_scale(_aggregate(item, measured), item)
    quotes = _quotes([found.hits for _, found in measured], {turn.number: turn for turn in measuring.turns})
    absent = score == item.bounds[0] and not any(found.hits for _, found in measured)
    if not quotes and not absent:
        quotes = _longest(measuring.turns, rubric.speaker)
    return {
        "rationale": _rationale(measured, rubric, score),
        "evidence": [{"turn": hit.turn, "quote": hit.quote} for hit in quotes],
        "absent": absent,
        "score": _category(item, score) if item.type == "category" else score,
        "unscored_reason": None,
    }


def _category(item: Item, points: int) -> str:
    """The highest category that the points reach."""
    reached = [one for one in item.categories if one.points <= points] or item.categories
    return max(reached, key=lambda one: one.points).name


def _unscored(reason: str) -> dict[str, Any]:
    return {"rationale": "", "evidence": [], "absent": False, "score": None, "unscored_reason": reason}


def _aggregate(item: Item, measured: Sequence[tuple[Measurement, Measured]]) -> float:
    points = [wanted.weight * points_for(found.value, wanted.points) for wanted, found in measured]
    if item.aggregate == "mean":
        return sum(points) / sum(wanted.weight for wanted, _ in measured)
    if item.aggregate == "sum":
        return sum(points)
    return max(points) if item.aggregate == "max" else min(points)


def _within_scale(points: float, item: Item) -> int:
    """The nearest whole point of the scale; a half goes up."""
    low, high = item.bounds
    return int(min(max(math.floor(points + 0.5), low), math.inf if high is None else high))


def _quotes(groups: Sequence[Sequence[Hit]], turns: Mapping[int, SpokenTurn]) -> list[Hit]:
    """Some of each signal's hits, spread over the session, in the order of the turns."""
    room = max(QUOTES_PER_ITEM // max(sum(bool(group) for group in groups), 1), 1)
    chosen = {_long_enough(hit, turns[hit.turn]) for group in groups for hit in _spread(group, room)}
    quotable = [hit for hit in chosen if len(hit.quote.split()) >= WORDS_PER_QUOTE]
    return sorted(quotable, key=lambda hit: (hit.turn, hit.quote))


def _long_enough(hit: Hit, turn: SpokenTurn) -> Hit:
    """The counted sentence, with the sentences before it, or else after it, until there are enough words."""
    sentences = turn.sentences
    first = last = sentences.index(hit.quote)
    quote = hit.quote
    while len(quote.split()) < WORDS_PER_QUOTE and last - first < len(sentences) - 1:
        first, last = (first - 1, last) if first else (first, last + 1)
        start = turn.text.find(sentences[first])
        quote = turn.text[start : turn.text.find(sentences[last], start) + len(sentences[last])]
    return Hit(hit.turn, quote)


def _spread(hits: Sequence[Hit], room: int) -> list[Hit]:
    if len(hits) <= room:
        return list(hits)
    return [hits[at * len(hits) // room] for at in range(room)]


def _longest(turns: Sequence[SpokenTurn], speaker: str) -> list[Hit]:
    """What was read where nothing could be quoted: the opening of the speaker's longest turn."""
    longest = max((turn for turn in turns if turn.speaker == speaker), key=lambda turn: turn.words)
    return [_long_enough(Hit(longest.number, sentence), longest) for sentence in longest.sentences[:1]]


def _rationale(measured: Sequence[tuple[Measurement, Measured]], rubric: Rubric, score: int) -> str:
    parts = [
        f"{rubric.signals[wanted.signal].means}: {found.value:.3g} {found.unit}"
        f" ({wanted.weight * points_for(found.value, wanted.points):+.1f})"
        for wanted, found in measured
    ]
    return f"Measured by program. {'; '.join(parts)}. Together {score}."
