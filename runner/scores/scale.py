"""The ends of an outcome's scale."""

from __future__ import annotations

from cbtrun.ratings.rubric import Rubric, combined_ends
from cbtrun.scores.totals import counted_items


def outcome_ends(rubric: Rubric, name: str) -> tuple[float | None, float | None]:
    """Lowest and highest value that an outcome can have; none where there is no end."""
    if name == "total" and rubric.total is not None:
        return rubric.total.low, rubric.total.high
    if name not in rubric.subscales:
        low, high = rubric.item(name).bounds
        return float(low), None if high is None else float(high)
    return combined_ends(counted_items(rubric, name), rubric.total.method if rubric.total is not None else "sum")
