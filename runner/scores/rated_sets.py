"""The rating sets of a study with one value for each session and outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cbtrun.ratings.rubric import Rubric
from cbtrun.ratings.rubric_facts import RubricFacts, rubric_facts
from cbtrun.records import Rating
from cbtrun.reliability.of_ratings import Singles, single_values
from cbtrun.scores.missing_scores import Filled, filled_totals
from cbtrun.scores.totals import Aggregate, outcome_names, values_by_outcome


@dataclass(frozen=True)
class RatedSet:
    """One rating set with the value of each outcome, as `build_results` needs it."""

    rubric: RubricFacts
    ratings: Sequence[Rating]
    values: Mapping[str, Mapping[str, float | None]]
    """Outcome without its set (`total`, `agenda`) -> session id -> points, none where missing."""
    reasons: Mapping[str, Mapping[str, str]]
    """Outcome -> session id -> why its value is missing."""
    singles: Mapping[str, Singles] = field(default_factory=dict)
    """Outcome -> (session, rater, repeat) -> points of that single rating."""
    filled: Filled = field(default_factory=dict)
    """Totals with unscored items filled in, where there are any."""


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
