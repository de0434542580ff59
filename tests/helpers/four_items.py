"""A rubric of four items, with sessions and ratings of it."""

from collections.abc import Sequence

from cbtrun.contract.records import ItemScore, Quote, Rating, Session
from cbtrun.ratings.rubric import Item, Rubric, Total, rubric_digest
from tests.helpers.rating_fakes import a_session

FOUR = Rubric(
    name="four",
    title="Four items",
    version="1.0",
    source="invented",
    licence="ours",
    validation="none",
    total=Total(low=0, high=24),
    items=tuple(Item(id=id, name=id.title(), asks="?", high=6) for id in ("one", "two", "three", "four")),
)


def sessions(count: int, words: Sequence[int] | None = None, arms: Sequence[str] = ("x",)) -> list[Session]:
    """Sessions of three turns; the therapist says so many words."""
    lengths = words or [10] * count
    return [
        a_session(
            [("therapist", "word " * lengths[at]), ("patient", "Yes."), ("therapist", f"Number {at}.")],
            id=f"s{at}",
            draw=f"d{at}",
            arm=arms[at % len(arms)],
        )
        for at in range(count)
    ]


def rating(session: str, scores: Sequence[float | None], rater: str = "r", turn: int = 2, **changes: object) -> Rating:
    """One rating with a quote for each item."""
    return Rating(
        session=session,
        set="s",
        rubric="four",
        rubric_version="1.0",
        rubric_digest=rubric_digest(FOUR),
        rater=rater,
        scores=tuple(
            ItemScore(
                item=item.id,
                score=score,
                reason=None if score is not None else "evidence not found",
                evidence=(Quote(turn=turn, text="word word word"),),
                **changes,  # type: ignore[arg-type]
            )
            for item, score in zip(FOUR.items, scores, strict=True)
        ),
    )
