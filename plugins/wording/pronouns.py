"""The same words from the other chair: a patient's clause turned to "you"."""

from __future__ import annotations

import re

_TO_YOU = {
    "i am": "you are", "am i": "are you", "i was": "you were", "was i": "were you", "i wasn't": "you weren't",
    "i'm": "you're", "i've": "you've", "i'd": "you'd", "i'll": "you'll", "i": "you", "me": "you", "my": "your",
    "mine": "yours", "myself": "yourself", "we": "you", "we're": "you're", "we've": "you've", "we'd": "you'd",
    "we'll": "you'll", "us": "you", "our": "your", "ours": "yours", "ourselves": "yourselves",
}  # fmt: skip


def to_you(text: str) -> str:
    """A first-person clause as the listener would say it back: "I lost my keys" gives "you lost your keys"."""
    return _swap(text, _TO_YOU)


def _swap(text: str, pairs: dict[str, str]) -> str:
    longest_first = sorted(pairs, key=len, reverse=True)
    pattern = r"(?<![\w'])(" + "|".join(map(re.escape, longest_first)) + r")(?![\w'])"
    return re.sub(pattern, lambda found: pairs[found[0].lower()], text, flags=re.IGNORECASE)


def clause(text: str) -> str:
    """A sentence as a clause: no full stop, small first letter unless it is "I" or a name that stays as it is."""
    text = text.strip().rstrip(".!?")
    first = text.split(" ", 1)[0]
    if first.split("'")[0] == "I" or not first[:1].isupper():
        return text
    return text[0].lower() + text[1:] if first.lower() in _COMMON else text


_COMMON = frozenset({
    "a", "after", "all", "although", "an", "as", "at", "back", "because", "before", "by", "can", "could", "each",
    "even", "every", "everybody", "everyone", "for", "from", "he", "her", "his", "how", "if", "in", "it", "it's",
    "its", "just", "my", "no", "nobody", "not", "nothing", "on", "one", "only", "other", "our", "over", "people",
    "she", "should", "since", "some", "someone", "something", "that", "the", "their", "there", "there's", "these",
    "they", "they'd", "they're", "this", "those", "three", "two", "under", "until", "was", "we", "what", "whatever",
    "when", "whenever", "where", "while", "who", "whoever", "why", "will", "with", "without", "would", "yes",
    "your",
})  # fmt: skip
