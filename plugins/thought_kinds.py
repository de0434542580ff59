"""What kind of thinking error an automatic thought shows, from its words."""

from __future__ import annotations

import re

KINDS: tuple[tuple[str, str], ...] = (
    ("mind reading", r"\b(they|they'd|they'll|they're|everyone|everybody|people|nobody)\b.*\b(think|thinks|thought|know|see|hear|saw|notice|work out|laughing|laugh|want|wants|put up|feel sorry|look down|regret|idea|people|up on|happier|coming|quiet|lose|come|wait|read)\b"),  # noqa: E501
    ("fortune telling", r"\b(will|won't|going to|i'll|it'll|i'd only|they'd|always be|rest of my life|for good|ever again|no way out)\b"),  # noqa: E501
    ("personalisation", r"\b(my fault|if i had|because of me|damaging|it's pity|on my own)\b"),
    ("all-or-nothing thinking", r"\b(never|always|everything|nothing|anything|every|whole|even|all|only|ruin|nobody)\b"),
    ("should statements", r"\b(should|must|mustn't|ought|supposed|no right|normal person|grown adult)\b"),
    ("labelling", r"\bi('m| am|'ve become|'ve turned into)\b"),
)  # fmt: skip


def thought_kind(thought: str) -> str:
    """Name of the kind of thinking error; "emotional reasoning" when the words show no other."""
    lowered = thought.lower()
    return next((kind for kind, pattern in KINDS if re.search(pattern, lowered)), "emotional reasoning")
