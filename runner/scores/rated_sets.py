"""The rating sets of a study with one value for each session and outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from cbtrun.contract.records import Rating
from cbtrun.contract.worded import which_rating
from cbtrun.ratings.rating_tally import RatingTally, tally_of
from cbtrun.ratings.rubric_facts import RubricFacts, rubric_facts
from cbtrun.reliability.of_ratings import RatingPlace, Singles
from cbtrun.scores.missing_scores import Filled, filled_in
from cbtrun.scores.score import Score
from cbtrun.scores.score_table import ScoreTable
from cbtrun.scores.totals import is_summed


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
    """Outcome -> (session, rater, which) -> points of that single rating."""
    filled: Filled = field(default_factory=dict)
    """Totals with unscored items filled in, where there are any."""
    ends: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    """Outcome -> lowest and highest value that it can have; none where there is no end."""

    @cached_property
    def tally(self) -> RatingTally:
        """What its ratings hold beside scores, counted in one pass over them."""
        return tally_of(self.ratings, {item.id for item in self.rubric.items})


def rated_set(ratings: Sequence[Rating], table: ScoreTable) -> RatedSet:
    """A rating set with the value of every outcome of its rubric. Each score is read once."""
    values: dict[str, dict[str, float | None]] = {}
    reasons: dict[str, dict[str, str]] = {}
    singles: dict[str, Singles] = {}
    filled: dict[str, Mapping[str, Mapping[str, float | None]]] = {}
    keys: dict[RatingPlace, RatingPlace] = {}  # outcomes share them: there are thousands
    for outcome in table.outcomes:
        scores = table.of(outcome)
        values[outcome] = {id: score.value for id, score in scores.items()}
        reasons[outcome] = {id: score.reason for id, score in scores.items() if score.reason is not None}
        singles[outcome] = single_values(scores.values(), keys)
        if is_summed(table.rubric, outcome) and (gaps := filled_in(scores)):
            filled[outcome] = gaps
    ends = {outcome: table.ends(outcome) for outcome in table.outcomes}
    return RatedSet(rubric_facts(table.rubric), ratings, values, reasons, singles, filled, ends)


def single_values(
    scores: Iterable[Score], keys: dict[RatingPlace, RatingPlace] | None = None
) -> dict[RatingPlace, float | None]:
    """(session, rater, which) -> what that single rating gave, of scores on one outcome.

    keys: those that are known, so that outcomes share them; new ones are added.
    """
    known = {} if keys is None else keys
    found = {}
    for score in scores:
        for one in score.singles:
            key = (score.session, one.rater, which_rating(one.repeat, one.wording))
            found[known.setdefault(key, key)] = one.value
    return found
