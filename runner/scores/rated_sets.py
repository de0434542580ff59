"""The rating sets of a study with one value for each session and outcome."""

from __future__ import annotations

from collections.abc import Sequence

from cbtrun.ratings.rubric import Rubric
from cbtrun.records import Rating
from cbtrun.reliability.of_ratings import single_values
from cbtrun.results.build import RatedSet, rubric_facts
from cbtrun.scores.missing_scores import filled_totals
from cbtrun.scores.totals import Aggregate, outcome_names, values_by_outcome


def rated_set(ratings: Sequence[Rating], rubric: Rubric, aggregate: Aggregate = "mean") -> RatedSet:
    """A rating set with the value of every outcome of its rubric, raters and repeats aggregated."""
    by_outcome = values_by_outcome(ratings, rubric, outcome_names(rubric), aggregate)
    values: dict[str, dict[str, float | None]] = {}
    reasons: dict[str, dict[str, str]] = {}
    for name in [*by_outcome]:
        found = by_outcome.pop(name)  # of thousands of sessions only one outcome is held twice
        values[name] = {id_: one.value for id_, one in found.items()}
        reasons[name] = {id_: one.reason for id_, one in found.items() if one.reason is not None}
    return RatedSet(
        rubric=rubric_facts(rubric),
        ratings=ratings,
        singles=single_values(ratings, rubric),
        filled=filled_totals(ratings, rubric, aggregate, values),
        values=values,
        reasons=reasons,
    )
