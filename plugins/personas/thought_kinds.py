"""What kind of thinking error an automatic thought shows, from its words."""

from __future__ import annotations

import re

_OTHERS = r"\b(they|they'd|they'll|they're|everyone|everybody|people|nobody)\b"
_IN_THEIR_HEADS = (
    r"\b(thinks?|thought|know|see|hear|saw|notice|work out|laugh|laughing|wants?|put up|feel sorry|look down|regret|idea"
    r"|happier|go quiet|lose|come)\b"
)
_TIME_TO_COME = r"\b(will|won't|going to|i'll|it'll|i'd only|they'd|always be|rest of my life|for good|ever again)\b"
_ALL_OF_IT = r"\b(never|always|everything|nothing|anything|every|whole|even|all|only|ruin|nobody)\b"

KINDS: tuple[tuple[str, str], ...] = (
    ("mind reading", f"{_OTHERS}.*{_IN_THEIR_HEADS}"),
    ("fortune telling", _TIME_TO_COME),
    ("personalisation", r"\b(my fault|if i had|because of me|damaging|it's pity|on my own)\b"),
    ("all-or-nothing thinking", _ALL_OF_IT),
    ("should statements", r"\b(should|must|mustn't|ought|supposed|no right|normal person|grown adult)\b"),
    ("labelling", r"\bi('m| am|'ve become|'ve turned into)\b"),
)


def thought_kind(thought: str) -> str:
    """Name of the kind of thinking error; "emotional reasoning" when the words show no other."""
    lowered = thought.lower()
    return next((kind for kind, pattern in KINDS if re.search(pattern, lowered)), "emotional reasoning")
