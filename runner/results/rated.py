"""One rating set as results read it: the rubric's facts, and the value of each session and outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from cbtrun.contract.records import Rating, Record, Session
from cbtrun.ratings.missing_scores import Filled
from cbtrun.ratings.rubric import Rubric, rubric_digest
from cbtrun.reliability.of_ratings import Singles


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


class Placed(Protocol):
    """A session as far as groups are concerned: a Session, or what is kept of one."""

    @property
    def id(self) -> str:
        """Of the session."""

    @property
    def persona(self) -> str | None:
        """Its persona."""

    @property
    def arm(self) -> str | None:
        """Its arm."""

    @property
    def factors(self) -> Mapping[str, str]:
        """Factor -> level."""


@dataclass(frozen=True, slots=True)
class PlacedSession:
    """What results need of a session besides its words: thousands of sessions fit into memory without them."""

    id: str
    persona: str | None
    arm: str | None
    factors: Mapping[str, str]
    flags: tuple[str, ...]

    @classmethod
    def of(cls, session: Session) -> PlacedSession:
        """The session without its words."""
        return cls(session.id, session.persona, session.arm, session.factors, session.flags)


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


def rubric_facts(rubric: Rubric) -> RubricFacts:
    """What results say about a rubric. Items of type text have no points and are left out."""
    subscales = [ItemFacts(id=id, title=subscale.title, kind="subscale") for id, subscale in rubric.subscales.items()]
    pointed = [(item, *item.bounds) for item in rubric.items if item.type != "text"]
    items = [ItemFacts(id=item.id, title=item.name, low=low, high=high) for item, low, high in pointed]
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
