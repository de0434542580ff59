"""The scores of one rating set, to be read outcome by outcome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cbtrun.errors import StageError
from cbtrun.ratings.rubric import Rubric
from cbtrun.scores.making import with_aggregate
from cbtrun.scores.scale import outcome_ends
from cbtrun.scores.score import Score
from cbtrun.scores.totals import Aggregate, outcome_names


@dataclass(frozen=True)
class ScoreTable:
    """Every score of a rating set. They may lie on disk: a look at one outcome reads the lines of that outcome alone."""

    rubric: Rubric
    aggregate: Aggregate
    """How raters and repeats were put together."""
    scores: Sequence[Score]
    """As `scores_of` gives them: outcome by outcome, in each the same sessions in the same order."""

    @property
    def outcomes(self) -> tuple[str, ...]:
        """`total` where the rubric has one, subscales, and items with points."""
        return tuple(outcome_names(self.rubric))

    def of(self, outcome: str, aggregate: Aggregate | None = None) -> dict[str, Score]:
        """Session -> its score on one outcome, with another way of putting ratings together if one is named.

        Raises StageError for an outcome that the rubric does not have.
        """
        if outcome not in self.outcomes:
            known = ", ".join(self.outcomes)
            raise StageError(f"rubric '{self.rubric.name}' has no outcome '{outcome}'; known: {known}")
        sessions, at = len(self.scores) // len(self.outcomes), self.outcomes.index(outcome)
        found: Iterable[Score] = self.scores[at * sessions : (at + 1) * sessions]
        if aggregate not in (None, self.aggregate):
            found = (with_aggregate(score, aggregate) for score in found)
        return {score.session: score for score in found}

    def ends(self, outcome: str) -> tuple[float | None, float | None]:
        """Lowest and highest value that an outcome can have; none where there is no end."""
        return outcome_ends(self.rubric, outcome)

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)
