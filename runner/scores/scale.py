"""An outcome's scale, and how far its missing values could lie from the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cbtrun.analysis.table import Scale
from cbtrun.ratings.rubric import Rubric
from cbtrun.records import Rating
from cbtrun.scores.totals import Aggregate, Value, counted_items, item_value, outcome_values, rating_total


def outcome_scale(
    ratings: Sequence[Rating], rubric: Rubric, name: str, aggregate: Aggregate, values: Mapping[str, Value]
) -> Scale:
    """Ends of the scale, bounds of the sessions without a value, and single ratings where sessions have several."""
    low, high = outcome_ends(rubric, name)
    unsure = [rating for rating in ratings if values[rating.session].value is None]
    bounds: list[Mapping[str, Value]] = [{}, {}]
    if unsure and (name == "total" or name in rubric.subscales):
        bounds = [outcome_values(unsure, rubric, name, aggregate, end) for end in ("lowest", "highest")]
    several = len(ratings) > len(values)
    return Scale(low, high, bounds[0], bounds[1], single_ratings(ratings, rubric, name) if several else {})


def outcome_ends(rubric: Rubric, name: str) -> tuple[float | None, float | None]:
    """Lowest and highest value that an outcome can have; none where there is no end."""
    if name == "total" and rubric.total is not None:
        return rubric.total.low, rubric.total.high
    if name not in rubric.subscales:
        low, high = rubric.item(name).bounds
        return float(low), None if high is None else float(high)
    ends = [item.bounds for item in counted_items(rubric, name)]
    by = len(ends) if rubric.total is not None and rubric.total.method == "mean" and ends else 1
    highs = [high for _, high in ends if high is not None]
    return sum(low for low, _ in ends) / by, sum(highs) / by if len(highs) == len(ends) else None


def single_ratings(ratings: Sequence[Rating], rubric: Rubric, name: str) -> dict[str, dict[tuple[str, int], float]]:
    """Session -> (rater, repeat) -> points, for the ratings that have a value."""
    found: dict[str, dict[tuple[str, int], float]] = {}
    for rating in ratings:
        if name == "total" or name in rubric.subscales:
            value = rating_total(rating, rubric, None if name == "total" else name).value
        else:
            value = item_value(rating, name).value
        if value is not None:
            found.setdefault(rating.session, {})[rating.rater, rating.repeat] = value
    return found
