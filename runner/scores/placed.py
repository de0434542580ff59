"""Where a session stands among the others, without its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


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
