"""Scores are made here and nowhere else: every outcome of a rating set, in one pass over its ratings.

A session with several ratings (raters x wordings x repeats) has the mean or median of each rater's ratings, then of the
raters; if one of its ratings has no value, neither has the session.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean, median
from typing import NamedTuple

from cbtrun.contract.records import Rating
from cbtrun.errors import StageError
from cbtrun.files.record_list import RecordList
from cbtrun.ratings.rubric import Rubric, rubric_digest
from cbtrun.scores.score import Score, SingleScore
from cbtrun.scores.totals import (
    Aggregate,
    is_summed,
    item_value,
    outcome_names,
    prorated_total,
    rating_total,
    total_bounds,
)


class _Points(NamedTuple):
    """An outcome's value, and what it could be."""

    value: float | None
    reason: str | None
    prorated: float | None
    lowest: float | None
    highest: float | None


class _Single(NamedTuple):
    """What one rating gave."""

    rater: str
    repeat: int
    wording: str
    points: tuple[_Points, ...]
    """One for each outcome."""


def make_scores(
    name: str, ratings: Iterable[Rating], rubric: Rubric, aggregate: Aggregate = "mean"
) -> RecordList[Score]:
    """What `scores_of` gives, as scores/NAME.jsonl holds it."""
    return RecordList.of(Score, scores_of(name, ratings, rubric, aggregate))


def scores_of(name: str, ratings: Iterable[Rating], rubric: Rubric, aggregate: Aggregate = "mean") -> Iterator[Score]:
    """The scores of a rating set: outcome by outcome, sessions in the order of their first rating.

    Each rating is read once and not kept: they may lie on disk. Raises StageError for ratings made with another version
    of the rubric.
    """
    outcomes = outcome_names(rubric)
    by_session: dict[str, list[_Single]] = {}
    same: dict[_Points, _Points] = {}  # few values, thousands of ratings
    digest = rubric_digest(rubric)
    for rating in ratings:
        _same_rubric(rating, rubric, digest)
        of_rating = (_points(rating, rubric, outcome) for outcome in outcomes)
        single = _Single(
            rating.rater, rating.repeat, rating.wording, tuple(same.setdefault(one, one) for one in of_rating)
        )
        by_session.setdefault(rating.session, []).append(single)
    for at, outcome in enumerate(outcomes):
        ends = (None, None) if is_summed(rubric, outcome) else rubric.item(outcome).bounds
        for session, group in by_session.items():
            singles = tuple(
                SingleScore(rater=one.rater, repeat=one.repeat, wording=one.wording, **one.points[at]._asdict())
                for one in group
            )
            points = _aggregated(singles, aggregate)
            if points.value is None:  # an item that is not scored may have any score of its scale
                lowest = ends[0] if points.lowest is None else points.lowest
                highest = ends[1] if points.highest is None else points.highest
                points = points._replace(lowest=lowest, highest=highest)
            yield Score(session=session, set=name, outcome=outcome, singles=singles, **points._asdict())


def with_aggregate(score: Score, aggregate: Aggregate) -> Score:
    """The score with its single ratings put together in another way than its rating set says."""
    points = _aggregated(score.singles, aggregate)._asdict()
    bounds = {name: getattr(score, name) for name in ("lowest", "highest") if points[name] is None}
    return score.model_copy(update=points | bounds)


def _points(rating: Rating, rubric: Rubric, outcome: str) -> _Points:
    if not is_summed(rubric, outcome):
        value, reason = item_value(rating, rubric.item(outcome))
        return _Points(value, reason, value, value, value)
    subscale = None if outcome == "total" else outcome
    value, reason = rating_total(rating, rubric, subscale)
    lowest, highest = total_bounds(rating, rubric, subscale)
    return _Points(value, reason, prorated_total(rating, rubric, subscale).value, lowest.value, highest.value)


def _aggregated(singles: Sequence[SingleScore], aggregate: Aggregate) -> _Points:
    missing = [single.reason or "unscored" for single in singles if single.value is None]
    return _Points(
        _middle(((single.rater, single.value) for single in singles), aggregate),
        "; ".join(dict.fromkeys(missing)) or None,
        _middle(((single.rater, single.prorated) for single in singles), aggregate),
        _middle(((single.rater, single.lowest) for single in singles), aggregate),
        _middle(((single.rater, single.highest) for single in singles), aggregate),
    )


def _middle(values: Iterable[tuple[str, float | None]], aggregate: Aggregate) -> float | None:
    """Over the raters of what each of them gave; none if any of it is missing."""
    by_rater: dict[str, list[float]] = {}
    for rater, value in values:
        if value is None:
            return None
        by_rater.setdefault(rater, []).append(value)
    middle = fmean if aggregate == "mean" else median
    return float(middle([middle(given) for given in by_rater.values()]))


def _same_rubric(rating: Rating, rubric: Rubric, digest: str) -> None:
    if rating.rubric_digest == digest:
        return
    raise StageError(
        f"session '{rating.session}' was rated with {rating.rubric} {rating.rubric_version} "
        f"({rating.rubric_digest[:12]}), not with {rubric.name} {rubric.version} ({digest[:12]}): "
        f"scores of different rubrics are not pooled; rate again with --redo ratings.{rating.set}"
    )
