"""Whether somebody says goodbye."""

from __future__ import annotations

import re

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
