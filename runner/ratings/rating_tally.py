"""What a set of ratings holds beside scores: who rated, what is missing and why, where its quotes stand, what unblinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from cbtrun.contract.records import Rating
from cbtrun.ratings.reasons import NOT_APPLICABLE, reason_kind


@dataclass
class ItemCounts:
    """Scores of one session on the items that have points."""

    all: int = 0
    absent: int = 0
    """Scored at the lowest anchor because the behaviour does not occur."""
    unscored: int = 0
    """Those that do not apply left out."""


@dataclass
class RatingTally:
    """What was counted."""

    raters: set[str] = field(default_factory=set)
    repeats: int = 0
    """Most repeats by one rater of one session."""
    wordings: set[str] = field(default_factory=set)
    """None of a set that has none."""
    scores: int = 0
    """Item scores that were asked for."""
    unscored: Counter[str] = field(default_factory=Counter)
    """Kind of reason -> item scores that nobody could give."""
    quotes: list[tuple[str, int]] = field(default_factory=list)
    """Session and turn of each quote."""
    items: dict[str, ItemCounts] = field(default_factory=dict)
    """Session -> its scores."""
    unblinded: set[str] = field(default_factory=set)
    """Sessions with words that tell the rater which model speaks."""


def tally_of(ratings: Iterable[Rating], pointed: Collection[str]) -> RatingTally:
    """One pass over the ratings, none of them kept: they may lie on disk. pointed: ids of the items that have points."""
    tally = RatingTally()
    for rating in ratings:
        tally.raters.add(rating.rater)
        tally.repeats = max(tally.repeats, rating.repeat)
        if rating.wording:
            tally.wordings.add(rating.wording)
        tally.scores += len(rating.scores)
        missing = (score for score in rating.scores if score.score is None and not score.label)
        tally.unscored.update(reason_kind(score.reason or "") for score in missing)
        tally.quotes += [(rating.session, quote.turn) for score in rating.scores for quote in score.evidence]
        _count_items(tally.items.setdefault(rating.session, ItemCounts()), rating, pointed)
        if any(flag.startswith("unblinding") for flag in rating.flags):
            tally.unblinded.add(rating.session)
    return tally


def _count_items(counts: ItemCounts, rating: Rating, pointed: Collection[str]) -> None:
    for score in rating.scores:
        if score.item in pointed:
            counts.all += 1
            counts.absent += score.absent
            counts.unscored += score.score is None and score.reason != NOT_APPLICABLE
