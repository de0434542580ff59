"""Ratings by the small rubric, and rubrics with other totals."""

from typing import Any

from cbtrun.contract.records import ItemScore, Rating
from cbtrun.ratings.rubric import Item, Rubric, Total, rubric_digest
from tests.helpers.rating_fakes import RUBRIC

COUNTED = RUBRIC.model_copy(update={"items": (*RUBRIC.items, Item(id="times", name="T", asks="?", type="count"))})


MEAN = RUBRIC.model_copy(update={"total": Total(method="mean", low=0, high=6)})


def rating(*scores: float | str, rubric: Rubric = RUBRIC, **changes: Any) -> Rating:
    """A rating with these scores; a text is the reason why an item has none."""
    items = [
        ItemScore(item=item.id, score=None, reason=score)
        if isinstance(score, str)
        else ItemScore(item=item.id, score=score)
        for item, score in zip(rubric.items, scores, strict=False)
    ]
    fields: dict[str, Any] = {"session": "s1", "rater": "a", "repeat": 1} | changes
    return Rating(
        set="small",
        rubric=rubric.name,
        rubric_version=rubric.version,
        rubric_digest=fields.pop("rubric_digest", rubric_digest(rubric)),
        scores=tuple(items),
        **fields,
    )
