"""What one rating gave: totals, subscales, items, and what unscored items leave open.

The rule everywhere: missing is not zero. A total with an unscored item is None with the reason; prorated totals and
bounds are sensitivity analyses that a reader must ask for.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Literal, NamedTuple

from cbtrun.contract.records import ItemScore, Rating
from cbtrun.ratings.reasons import NOT_APPLICABLE
from cbtrun.ratings.rubric import Item, Rubric, Total

Aggregate = Literal["mean", "median"]


class Value(NamedTuple):
    """An outcome in the rubric's points, or why there is none."""

    value: float | None
    reason: str | None = None
    """Why there is no value; none when there is one."""


def outcome_names(rubric: Rubric) -> list[str]:
    """What may stand after the dot of an outcome: the total if there is one, subscales, and items with numbers."""
    total = ["total"] if rubric.total is not None else []
    return [*total, *rubric.subscales, *(item.id for item in rubric.items if item.type != "text")]


def is_summed(rubric: Rubric, outcome: str) -> bool:
    """Whether an outcome is put together from items: the total, or a subscale."""
    return outcome == "total" or outcome in rubric.subscales


def rating_total(rating: Rating, rubric: Rubric, subscale: str | None = None) -> Value:
    """Sum (or mean, as the rubric says) of the items that count, by their weights; no value when one of them is unscored.

    An item that does not apply drops out of a mean; a sum has no value then.
    """
    items = counted_items(rubric, subscale)
    scores = {score.item: score for score in rating.scores}
    dropped = [item.id for item in items if _method(rubric) == "mean" and _not_applicable(scores.get(item.id))]
    needed = [item for item in items if item.id not in dropped]
    unscored = [item.id for item in needed if _points(scores.get(item.id)) is None]
    if unscored:
        return Value(None, _reasons(unscored, scores))
    return _combined([(item, _keyed(item, scores.get(item.id))) for item in needed], rubric)


def prorated_total(rating: Rating, rubric: Rubric, subscale: str | None = None) -> Value:
    """The total, were the unscored items as far up their scales as the scored ones are on average.

    No value when fewer than half of the items are scored, or when an item has no upper bound. A sensitivity analysis.
    """
    items = counted_items(rubric, subscale)
    scores = _keyed_points(rating, items)
    reached = possible = 0.0
    for item in items:
        low, high = item.bounds
        if high is None:
            return Value(None, f"cannot be prorated: '{item.id}' has no upper bound")
        points = scores.get(item.id)
        if points is not None:
            reached, possible = reached + item.weight * (points - low), possible + item.weight * (high - low)
    scored = sum(scores.get(item.id) is not None for item in items)
    if not possible or 2 * scored < len(items):
        return Value(None, f"cannot be prorated: {scored} of {len(items)} items scored")
    share = reached / possible
    filled = [
        (item, item.bounds[0] + share * _span(item) if scores.get(item.id) is None else scores[item.id])
        for item in items
    ]
    return _combined(filled, rubric)


def total_bounds(rating: Rating, rubric: Rubric, subscale: str | None = None) -> tuple[Value, Value]:
    """Lowest and highest total that the unscored items leave open. A sensitivity analysis."""
    items = counted_items(rubric, subscale)
    scores = _keyed_points(rating, items)
    lowest = [(item, item.bounds[0] if scores.get(item.id) is None else scores[item.id]) for item in items]
    highest = [(item, item.bounds[1] if scores.get(item.id) is None else scores[item.id]) for item in items]
    if any(points is None for _, points in highest):
        return _combined(lowest, rubric), Value(None, "no upper bound")
    return _combined(lowest, rubric), _combined(highest, rubric)


def item_value(rating: Rating, item: Item) -> Value:
    """The points of one item in the direction of the total, or why it has none."""
    for score in rating.scores:
        if score.item == item.id:
            points = _keyed(item, score)
            return Value(points, None if points is not None else score.reason or "unscored")
    return Value(None, "not rated")


def counted_items(rubric: Rubric, subscale: str | None = None) -> list[Item]:
    """The items that make up the total, or a subscale."""
    return [item for item in rubric.items if item.counts and (subscale is None or item.subscale == subscale)]


def _points(score: ItemScore | None) -> float | None:
    return None if score is None else score.score


def _keyed(item: Item, score: ItemScore | None) -> float | None:
    """A score in the direction of the total."""
    points = _points(score)
    return None if points is None else item.keyed(points)


def _keyed_points(rating: Rating, items: Sequence[Item]) -> dict[str, float | None]:
    scores = {score.item: score for score in rating.scores}
    return {item.id: _keyed(item, scores.get(item.id)) for item in items}


def _not_applicable(score: ItemScore | None) -> bool:
    return score is not None and score.score is None and score.reason == NOT_APPLICABLE


def _method(rubric: Rubric) -> str:
    return (rubric.total or Total(low=0, high=None)).method


def _combined(points: Sequence[tuple[Item, float | None]], rubric: Rubric) -> Value:
    present = [(item.weight, value) for item, value in points if value is not None]
    if not present:
        return Value(None, "no item that counts")
    weighted = [weight * value for weight, value in present]
    if _method(rubric) != "mean":
        return Value(float(sum(weighted)))
    if all(weight == 1 for weight, _ in present):
        return Value(fmean(weighted))
    return Value(float(sum(weighted) / sum(weight for weight, _ in present)))


def _span(item: Item) -> float:
    low, high = item.bounds
    return (low if high is None else high) - low


def _reasons(unscored: Sequence[str], scores: dict[str, ItemScore]) -> str:
    """The distinct reasons, without the items' names, so that sessions can be counted by reason."""
    found = {item: scores[item].reason or "unscored" if item in scores else "not rated" for item in unscored}
    return "; ".join(dict.fromkeys(found.values()))
