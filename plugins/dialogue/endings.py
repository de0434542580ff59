"""How a session ends: an end marker, or both sides taking leave."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cbtrun.plugin import Turn

_LEAVE = re.compile(
    r"\b(good-?\s?bye|bye(?!\s+(?:my|the|one|any))|farewell|take care(?! of)|so long for now"
    r"|see you (?:soon|then|later|next|again|on (?:mon|tues|wednes|thurs|fri|satur|sun)day|in (?:a|one|two) weeks?)"
    r"|(?:until|till) (?:next|then|we meet)|have a (?:good|nice|lovely|great) (?:day|week|weekend|evening|one)"
    r"|talk (?:to you )?(?:soon|next (?:time|week)))\b",
    re.IGNORECASE,
)
_REPORTED = re.compile(r"\b(?:said|say|saying|says|wave[ds]?|told|tell|kiss(?:ed)?)\b", re.IGNORECASE)
_LAST_CLAUSE = re.compile(r"[.!?]")


def takes_leave(text: str) -> bool:
    """Whether a turn ends in a farewell. "I never said goodbye to her" is a memory, not a farewell."""
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", text.strip()) if part]
    for sentence in sentences[-2:]:
        found = _LEAVE.search(sentence)
        if found and not _REPORTED.search(_LAST_CLAUSE.split(sentence[: found.start()])[-1]):
            return True
    return False


def both_took_leave(turns: Sequence[Turn]) -> bool:
    """Whether the last two turns are farewells, one from each side."""
    last = turns[-2:]
    return len(last) == 2 and last[0].speaker != last[1].speaker and all(takes_leave(turn.text) for turn in last)


def cut_at_marker(text: str, markers: Sequence[str]) -> tuple[str, bool]:
    """The text before the first end marker, and whether there was one."""
    places = [text.index(marker) for marker in markers if marker in text]
    return (text[: min(places)].rstrip(), True) if places else (text, False)
