"""Where a session stands among the others, without its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cbtrun.records import Session


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
