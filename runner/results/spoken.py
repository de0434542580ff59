"""Points with the end of their scale, as people are told of results: `8.9 of 66 points`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cbtrun.contract.labels import outside_names

if TYPE_CHECKING:
    from cbtrun.results.records import Results

Ends = tuple[float | None, float | None]
"""Lowest and highest value of an outcome; none where there is no bound."""
_POINTS = re.compile(r"(?<![\w.])([-−]?\d+(?:\.\d+)?) points?\b")


def scale_words(ends: Ends) -> str:
    """`of 66`; `of 11 to 77` where the scale does not begin at 0; empty where it has no end."""
    low, high = ends
    if low is None or high is None:
        return ""
    return f"of {high:g}" if low == 0 else f"of {low:g} to {high:g}"


def ends_of(results: Results) -> dict[str, Ends]:
    """Outcome -> the ends of its scale, of totals and items; results hold none of subscales."""
    found: dict[str, Ends] = {}
    for name, rated in results.ratings.items():
        facts = rated.rubric
        found |= {f"{name}.{item.id}": (item.low, item.high) for item in facts.items}
        found[f"{name}.total"] = (facts.low, facts.high)
    return found


def on_its_scale(sentence: str, ends: Ends) -> str:
    """A sentence about one outcome whose first points say of how many they are; names in backticks stay."""
    words = scale_words(ends)
    left = 1 if words else 0

    def put(part: str) -> str:
        nonlocal left
        part, made = _POINTS.subn(rf"\1 {words} points", part, count=left) if left else (part, 0)
        left -= made
        return part

    return outside_names(sentence, put, lambda name: name)


def on_their_scales(results: Results, ends: Mapping[str, Ends] | None = None) -> Results:
    """Results whose sentences say of how many points theirs are. ends: of each outcome; those that results know, if not given."""
    known = ends_of(results) if ends is None else ends
    told = tuple(
        one.model_copy(update={"sentence": on_its_scale(one.sentence, known.get(one.outcome, (None, None)))})
        for one in results.comparisons
    )
    return results.model_copy(update={"comparisons": told})
