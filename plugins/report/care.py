"""A sentence that asks a reader for care."""

from __future__ import annotations

from dataclasses import dataclass

from cbtrun.plugins.report.behind import Levels


@dataclass(frozen=True)
class Care:
    """A sentence that asks for care."""

    text: str
    sessions: Levels | None = None
    """Filter of the list of sessions that shows those which its numbers rest on; none where it has no number of sessions."""
