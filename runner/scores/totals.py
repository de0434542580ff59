"""Totals of ratings, and one value for each session and outcome.

The rule everywhere: missing is not zero. A total with an unscored item is None with the reason; prorated totals and
bounds are sensitivity analyses that a reader must ask for. A session with several ratings (raters x repeats) has the
mean or median of each rater's repeats, then of the raters; if one of its ratings has no value, neither has the session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal, NamedTuple

from cbtrun.errors import StageError
from cbtrun.ratings.reasons import NOT_APPLICABLE
from cbtrun.ratings.rubric import Item, Rubric, Total, rubric_digest
from cbtrun.records import ItemScore, Rating

Aggregate = Literal["mean", "median"]
Missing = Literal["none", "prorated", "lowest", "highest"]


@dataclass(frozen=True, slots=True)
class Value:
    """An outcome in the rubric's points, or why there is none."""

    value: float | None
    reason: str | None = None
    """Why there is no value; none when there is one."""


class _Single(NamedTuple):
    """What one rating gave."""

    rater: str
    values: tuple[Value, ...]
    """One for each outcome."""


def outcome_values(
    ratings: Iterable[Rating],
    rubric: Rubric,
    outcome: str = "total",
    aggregate: Aggregate = "mean",
    missing: Missing = "none",
) -> dict[str, Value]:
    """Session id -> its one value, sessions in the order of their first rating.

    outcome: `total`, an item's id or a subscale's name. missing: what an unscored item does to a total or subscale:
    no value (the rule), the prorated sum, or the lowest or highest score it could have had (sensitivity analyses).
    Raises StageError for an unknown outcome and for ratings made with another version of the rubric.
    """
    return values_by_outcome(ratings, rubric, [outcome], aggregate, missing)[outcome]


def values_by_outcome(
    ratings: Iterable[Rating],
    rubric: Rubric,
    outcomes: Sequence[str],
    aggregate: Aggregate = "mean",
    missing: Missing = "none",
) -> dict[str, dict[str, Value]]:
    """Outcome -> what `outcome_values` gives. Each rating is read once and not kept: they may lie on disk."""
    value_of = [_outcome(rubric, outcome, missing) for outcome in outcomes]
    by_session: dict[str, list[_Single]] = {}
    same: dict[Value, Value] = {}

    def one(value: Value) -> Value:  # few values, thousands of ratings
        return same.setdefault(value, value)

    digest = rubric_digest(rubric)
    for rating in ratings:
        _same_rubric(rating, rubric, digest)
        single = _Single(rating.rater, tuple(one(of(rating)) for of in value_of))
        by_session.setdefault(rating.session, []).append(single)
    return {
        outcome: {session: one(_session_value(group, at, aggregate)) for session, group in by_session.items()}
        for at, outcome in enumerate(outcomes)
    }


def outcome_names(rubric: Rubric) -> list[str]:
    """What may stand after the dot of an outcome: the total if there is one, subscales, and items with numbers."""
    total = ["total"] if rubric.total is not None else []
    return [*total, *rubric.subscales, *(item.id for item in rubric.items if item.type != "text")]


def rating_total(rating: Rating, rubric: Rubric, subscale: str | None = None) -> Value:
    """Sum (or mean, as the rubric says) of the items that count; no value when one of them is unscored.

    An item that does not apply drops out of a mean; a sum has no value then.
    """
    items = counted_items(rubric, subscale)
    scores = {score.item: score for score in rating.scores}
    dropped = [item.id for item in items if _method(rubric) == "mean" and _not_applicable(scores.get(item.id))]
    needed = [item for item in items if item.id not in dropped]
    unscored = [item.id for item in needed if _points(scores.get(item.id)) is None]
    if unscored:
        return Value(None, _reasons(unscored, scores))
    return _combined([_points(scores[item.id]) for item in needed], rubric)


def prorated_total(rating: Rating, rubric: Rubric, subscale: str | None = None) -> Value:
    """The total, were the unscored items as far up their scales as the scored ones are on average.

    No value when fewer than half of the items are scored, or when an item has no upper bound. A sensitivity analysis.
    """
    items = counted_items(rubric, subscale)
    scores = {score.item: _points(score) for score in rating.scores}
    reached = possible = 0.0
    for item in items:
        low, high = item.bounds
        if high is None:
            return Value(None, f"cannot be prorated: '{item.id}' has no upper bound")
        points = scores.get(item.id)
        if points is not None:
            reached, possible = reached + points - low, possible + high - low
    scored = sum(scores.get(item.id) is not None for item in items)
    if not possible or 2 * scored < len(items):
        return Value(None, f"cannot be prorated: {scored} of {len(items)} items scored")
    share = reached / possible
    filled = [
        item.bounds[0] + share * _span(item) if scores.get(item.id) is None else scores[item.id] for item in items
    ]
    return _combined(filled, rubric)


def total_bounds(rating: Rating, rubric: Rubric, subscale: str | None = None) -> tuple[Value, Value]:
    """Lowest and highest total that the unscored items leave open. A sensitivity analysis."""
    items = counted_items(rubric, subscale)
    scores = {score.item: _points(score) for score in rating.scores}
    lowest = [item.bounds[0] if scores.get(item.id) is None else scores[item.id] for item in items]
    highest = [item.bounds[1] if scores.get(item.id) is None else scores[item.id] for item in items]
    if any(points is None for points in highest):
        return _combined(lowest, rubric), Value(None, "no upper bound")
    return _combined(lowest, rubric), _combined(highest, rubric)


def item_value(rating: Rating, item: str) -> Value:
    """The points of one item, or why it has none."""
    for score in rating.scores:
        if score.item == item:
            points = _points(score)
            return Value(points, None if points is not None else score.reason or "unscored")
    return Value(None, "not rated")


def counted_items(rubric: Rubric, subscale: str | None = None) -> list[Item]:
    """The items that make up the total, or a subscale."""
    return [item for item in rubric.items if item.counts and (subscale is None or item.subscale == subscale)]


def _outcome(rubric: Rubric, outcome: str, missing: Missing) -> Callable[[Rating], Value]:
    known = outcome_names(rubric)
    if outcome not in known:
        raise StageError(f"rubric '{rubric.name}' has no outcome '{outcome}'; known: {', '.join(known)}")
    if outcome != "total" and outcome not in rubric.subscales:
        return lambda rating: item_value(rating, outcome)
    subscale = None if outcome == "total" else outcome
    if missing == "prorated":
        return lambda rating: prorated_total(rating, rubric, subscale)
    if missing != "none":
        bound = 0 if missing == "lowest" else 1
        return lambda rating: total_bounds(rating, rubric, subscale)[bound]
    return lambda rating: rating_total(rating, rubric, subscale)


def _session_value(singles: Sequence[_Single], outcome: int, aggregate: Aggregate) -> Value:
    """outcome: its place among the values."""
    by_rater: dict[str, list[float]] = {}
    reasons: dict[str, None] = {}
    for single in singles:
        value = single.values[outcome]
        if value.value is None:
            reasons.setdefault(value.reason or "unscored")
        else:
            by_rater.setdefault(single.rater, []).append(value.value)
    if reasons:
        return Value(None, "; ".join(reasons))
    middle = fmean if aggregate == "mean" else median
    return Value(float(middle([middle(values) for values in by_rater.values()])))


def _same_rubric(rating: Rating, rubric: Rubric, digest: str) -> None:
    if rating.rubric_digest == digest:
        return
    raise StageError(
        f"session '{rating.session}' was rated with {rating.rubric} {rating.rubric_version} "
        f"({rating.rubric_digest[:12]}), not with {rubric.name} {rubric.version} ({digest[:12]}): "
        "scores of different rubrics are not pooled; rate again"
    )


def _points(score: ItemScore | None) -> float | None:
    return None if score is None else score.score


def _not_applicable(score: ItemScore | None) -> bool:
    return score is not None and score.score is None and score.reason == NOT_APPLICABLE


def _method(rubric: Rubric) -> str:
    return (rubric.total or Total(low=0, high=None)).method


def _combined(points: Sequence[float | None], rubric: Rubric) -> Value:
    present = [value for value in points if value is not None]
    if not present:
        return Value(None, "no item that counts")
    return Value(float(fmean(present) if _method(rubric) == "mean" else sum(present)))


def _span(item: Item) -> float:
    low, high = item.bounds
    return (low if high is None else high) - low


def _reasons(unscored: Sequence[str], scores: dict[str, ItemScore]) -> str:
    """The distinct reasons, without the items' names, so that sessions can be counted by reason."""
    found = {item: scores[item].reason or "unscored" if item in scores else "not rated" for item in unscored}
    return "; ".join(dict.fromkeys(found.values()))
