"""Names of people in what real people said, masked for raters: found by what stands around them, so some stay.

No list and no model of names is complete; the page says so. What is found once in a session is masked in all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MASK, CONTACT = "[name]", "[contact]"
_WORD = r"[^\W\d_a-z]\w*(?:['\u2019-][^\W\d_]\w+)*"
_NAME = rf"(?P<name>{_WORD}(?: (?:van |von |de |del |da )?{_WORD})?)"
_KIN = (
    "wife|husband|son|daughter|brother|sister|friend|boyfriend|girlfriend|boss|partner|mother|father|mum|mom|dad|aunt|uncle"
    "|cousin|grandmother|grandfather|colleague|neighbou?r|teacher|fianc\u00e9e?|ex"
)
_AROUND = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?i:\b(?:my|her|his|the) name(?:['\u2019]s| is| was)|\b(?:i['\u2019]?m|i am) called|\bcall me|\bnamed|\bcalled|\bthis is|\bi['\u2019]m|\bi am) {_NAME}",
        rf"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Doctor|Herr|Frau|Sir|Madam)\.? {_NAME}",
        rf"(?i:\b(?:hi|hello|hey|dear|thanks|thank you|goodbye|bye|welcome|good (?:morning|afternoon|evening)|sorry),?) {_NAME}",
        rf"(?i:\bmy (?:\w+ )?(?:{_KIN})),? {_NAME}",
        rf", {_NAME}(?=[.?!,])",
        rf"(?:\A|[.?!] ){_NAME}(?=, (?:I|you|we|let|how|what|can|do|that|it|this|are|is|thank)\b)",
    )
)
_CONTACTS = re.compile(
    r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+|\bhttps?://\S{1,500}|(?<![\w.])\+?\d[\d ()/-]{6,18}\d(?!\w)"
)
_NO_NAMES_TEXT = (
    "I Hi Hello Hey Dear Bye Goodbye Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August September"
    " October November December God Christmas Easter English German French Spanish Internet CBT PHQ PTSD OCD ADHD TV OK Okay"
    " Doctor Mum Mom Dad Well Yes No So And But Or Then Now Maybe Perhaps Sure Right Good Great Thanks Sorry Actually"
    " However Also Today Tomorrow Yesterday Sometimes Usually First Second Third Finally Still Please There Here Not Just Really"
    " Everything Nothing Something Everyone Nobody Somebody Because When What How Why Who Where If As Once Again You We They He"
    " She It This That These Those My Your Our Their His Her The An"
)
_NO_NAMES = frozenset(_NO_NAMES_TEXT.split())


def names_in(texts: Iterable[str], common: frozenset[str]) -> frozenset[str]:
    """The names that are found in one session. common: words that stand in lower case somewhere, so are no names."""
    found: set[str] = set()
    for text in texts:
        for pattern in _AROUND:
            for match in pattern.finditer(text):
                found.update(word for word in match["name"].split(" ") if _may_be_name(word, common))
    return frozenset(found)


def _may_be_name(word: str, common: frozenset[str]) -> bool:
    plain = re.split(r"['\u2019]", word)[0]
    return len(word) > 1 and plain not in _NO_NAMES and plain[:1].isupper() and plain.casefold() not in common


def common_words(texts: Iterable[str]) -> frozenset[str]:
    """Words that are written small somewhere."""
    return frozenset(word for text in texts for word in re.findall(r"\b[^\W\d_A-Z]\w+", text) if word.islower())


def without_names(
    texts: Sequence[str], common: frozenset[str], more: Sequence[str] = (), *, guess: bool = True
) -> tuple[str, ...]:
    """The turns of a session with names, addresses of mail and web, and telephone numbers masked.

    more: words of the user's to mask, too, whatever their case. guess: look for names; without it, `more` alone.
    """
    names = sorted(names_in(texts, common), key=len, reverse=True) if guess else []
    patterns = [re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")] if names else []
    if more:
        patterns.append(re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, more))})(?!\w)", re.IGNORECASE))
    return tuple(_masked(_CONTACTS.sub(CONTACT, text) if guess else text, patterns) for text in texts)


def _masked(text: str, patterns: Sequence[re.Pattern[str]]) -> str:
    for pattern in patterns:
        text = pattern.sub(MASK, text)
    return re.sub(r"\[name\](?: \[name\])+", MASK, text)
