"""How a session ends: an end marker, or both sides taking leave."""

from __future__ import annotations

from collections.abc import Sequence

from cbtrun.plugin import Turn
from cbtrun.plugins.wording.farewell import takes_leave


def both_took_leave(turns: Sequence[Turn]) -> bool:
    """Whether the last two turns are farewells, one from each side."""
    last = turns[-2:]
    return len(last) == 2 and last[0].speaker != last[1].speaker and all(takes_leave(turn.text) for turn in last)


def cut_at_marker(text: str, markers: Sequence[str]) -> tuple[str, bool]:
    """The text before the first end marker, and whether there was one."""
    places = [text.index(marker) for marker in markers if marker in text]
    return (text[: min(places)].rstrip(), True) if places else (text, False)
