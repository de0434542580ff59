"""What results say about a rubric, so that they can be read without its file."""

from __future__ import annotations

from typing import Literal

from cbtrun.contract.records import Record
from cbtrun.ratings.rubric import REVERSED, Rubric, rubric_digest


class ItemFacts(Record):
    """An item or a subscale of a rubric, as far as results need it."""

    id: str
    title: str
    kind: Literal["item", "subscale"] = "item"
    low: float | None = None
    """Lowest points it can have; none for a subscale."""
    high: float | None = None
    """Highest points it can have; none where there is no bound."""


class RubricFacts(Record):
    """Which rubric the scores are on, and what they can be held to."""

    name: str
    version: str
    digest: str
    """SHA-256 of the rubric's content."""
    title: str
    source: str
    """Where the rubric comes from, as one would cite it."""
    validation: str
    """What has been shown about scores on this rubric; stands beside every score that is shown."""
    notes: tuple[str, ...] = ()
    """Assumptions that a reader of any score must know; they stand there too."""
    assumed_scale: bool = False
    """True where the scale is assumed, so that totals are not compared with published ones."""
    threshold: float | None = None
    """Total from which a session counts as competent; none when the rubric has no such line."""
    has_total: bool
    """Whether the items add up to a total at all."""
    low: float | None = None
    """Lowest possible total, in points."""
    high: float | None = None
    """Highest possible total, in points; none where there is no bound."""
    items: tuple[ItemFacts, ...]
    """Subscales, then the items that have points, in the order of the rating sheet."""


def rubric_facts(rubric: Rubric) -> RubricFacts:
    """What results say about a rubric. Items of type text have no points and are left out."""
    subscales = [ItemFacts(id=id, title=subscale.title, kind="subscale") for id, subscale in rubric.subscales.items()]
    pointed = [(item, *item.bounds) for item in rubric.items if item.type != "text"]
    items = [
        ItemFacts(id=item.id, title=f"{item.name}{REVERSED}" if item.reverse else item.name, low=low, high=high)
        for item, low, high in pointed
    ]
    total = rubric.total
    return RubricFacts(
        name=rubric.name,
        version=rubric.version,
        digest=rubric_digest(rubric),
        title=rubric.title,
        source=rubric.source,
        validation=rubric.validation,
        notes=rubric.notes,
        assumed_scale=rubric.assumed_scale,
        threshold=total.threshold if total else None,
        has_total=total is not None,
        low=total.low if total else None,
        high=total.high if total else None,
        items=(*subscales, *items),
    )
