"""Contradiction of the persona's facts: another age, name or trade, or another home.

A program sees contradictions of what can be looked up. It does not see a changed story; a rater may.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from cbtrun.plugin import Persona
from cbtrun.plugins.fidelity.finding import Case, Check, Finding, spoken_sentences, straight, words_of

PARTNER = r"husband|wife|partner|girlfriend|boyfriend|spouse|fianc[eé]e?"
CHILD = r"children|kids?|sons?|daughters?|child|baby|toddler|twins|little one"
PET = r"cat|dog"

NUMBERS = {
    word: 10 * (place + 2)
    for place, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])
}
UNITS = {
    word: place + 1
    for place, word in enumerate(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
}

# Patterns stay texts until a session is checked: compiling them takes longer than reading a study.
AGE = (
    r"\bi(?:'m| am|'ve just turned|'ve turned| (?:just )?turned)(?: (?:only|just|already|now|nearly|almost|about))? (?P<one>\d\d|[a-z]+ty(?:[- ][a-z]+)?)"
    r"(?=(?: years old)?(?: now)?(?:[.,;!?]| and | or | last | this | in | next |$| years old| years of age))(?! (?:minutes|percent|pounds|kilos|days|weeks|hours|years (?!old|of age)))"
    r"|\b(?P<two>\d\d)-year-old(?: \w+)?(?: like me| such as me)|\bas an? (?P<three>\d\d)[- ]year[- ]old\b(?! (?:i used|boy|girl|child|kid))"
)
NAME = (
    r"\b(?i:my name is|my name's|(?:everyone|everybody|people|they|friends) calls? me|you can call me|just call me|i go by)\s+(?P<one>[A-Z]\w+)"
    r"|['\"](?P<two>[A-Z]\w+), (?:you|are you|what|why|how|is|it|can)\b"
)
NO_NAMES = frozenset(
    [
        "The",
        "A",
        "An",
        "It",
        "He",
        "She",
        "They",
        "You",
        "I",
        "My",
        "Lazy",
        "Stupid",
        "Mum",
        "Mom",
        "Dad",
        "Mother",
        "Father",
        "Doctor",
        "Love",
        "Dear",
        "Darling",
    ]
)
TRADE = (
    r"\b(?:i(?:'ve been| have been|'m| am)? ?work(?:ing|ed)? as an? |i(?:'m| am) (?:an? )(?=\w+ (?:by trade|by profession))"
    r"|i say (?:that )?i(?:'m| am) an? |my job as an? |i(?:'m| am) employed as an? )(?P<trade>[a-z' -]+?)(?=[,.;!?]|\s(?:and|so|for|at|in|by|but|which|who|with|since)\b|$)"
)
LIVES_ALONE = (
    r"\bi (?:live|'m living|am living|have been living|'ve been living) (?:all )?(?:alone|by myself|on my own)\b"
    r"|\bthere(?:'s| is) (?:nobody|no one|no-one) (?:else )?(?:at|in my) home\b|\bcome (?:home|back) to an empty (?:flat|house|home)\b"
)
SINGLE = r"\bi(?:'ve| have) never been married\b|\bi(?:'ve| have) been single\b|\bi(?:'m| am) single\b|\bi don't have a (?:partner|husband|wife)\b"
CHILDLESS = r"\bi (?:never had|don't have|have no|haven't got)(?: any)? (?:children|kids)\b"
WITH_PARENTS = r"\bi(?:'m)? (?:still )?(?:live|living) (?:at home )?with my (?:parents|mum|mom|mother|dad|father)\b"
SHARES = r"\bi (?:share|live in) (?:a|the|my) (?:small |big |shared )?(?:flat|house|apartment|room|place) with\b|\bmy (?:room|flat|house)mates?\b"
OWN_PARTNER = (
    rf"\bmy (?:{PARTNER}) and i (?!(?:broke|split|separated|divorced|used|were|had been|parted))"
    rf"|\bmy (?:{PARTNER}) (?:was|is|were|lay|sits|sat|sleeps|slept) (?:\w+ )?(?:next to|beside|in bed|at home|asleep)"
    rf"|\b(?:i live|living) with my (?:{PARTNER})\b"
)
OWN_CHILDREN = rf"\bmy (?:\w+ )?(?:\w+ )?(?:{CHILD}) (?:is|are|keeps?|needs?|goes|go|wants?|asks?|has|have)\b|\b(?:at|with) my (?:{CHILD})\b|\bmy (?:two|three|four) (?:\w+ )?(?:{CHILD})\b"
OTHER_SAYS = r"\b(?:used to|when i was|back when|years ago|before|ex-|my ex|late (?:husband|wife)|if i|would)\b"


def _find(case: Case) -> Iterator[Finding]:
    if case.persona is None:
        return
    for number, text in case.of("patient"):
        for sentence in spoken_sentences(straight(text)):
            if not _own_words(sentence, case.persona) and _contradicts(sentence, case.persona):
                yield Finding("contradiction", "patient", number, sentence)
                break


def _own_words(sentence: str, persona: Persona) -> bool:
    """Whether a sentence holds five words in a row of the persona's own description."""
    words, life = words_of(sentence), _life_words(persona)
    return any(" ".join(words[at : at + 5]) in life for at in range(len(words) - 4))


def _contradicts(sentence: str, persona: Persona) -> bool:
    lowered = sentence.lower()
    facts = _age(lowered, persona) or _name(sentence, persona) or _trade(lowered, persona)
    return facts or (not re.search(OTHER_SAYS, lowered) and _home(lowered, persona))


def _age(lowered: str, persona: Persona) -> bool:
    found = re.search(AGE, lowered)
    if not found or re.search(r"\b(?:when|till|until|by the time|since|before) i\b", lowered):
        return False
    age = _number(found["one"] or found["two"] or found["three"])
    return age is not None and persona.age is not None and abs(age - persona.age) > 1


def _number(words: str) -> int | None:
    if words.isdigit():
        return int(words)
    tens, _, unit = words.replace("-", " ").partition(" ")
    return NUMBERS[tens] + UNITS.get(unit, 0) if tens in NUMBERS else None


def _name(sentence: str, persona: Persona) -> bool:
    if not persona.name:
        return False
    found = re.search(NAME, sentence)
    said = (found["one"] or found["two"]) if found else persona.name
    return said not in NO_NAMES and said != persona.name and said.lower()[:3] != persona.name.lower()[:3]


def _trade(lowered: str, persona: Persona) -> bool:
    """A trade that shares no word stem with the persona's own, nor with anything else in its life."""
    found = re.search(TRADE, lowered)
    if not found or not persona.occupation:
        return False
    return not any(word[:5] in _life(persona) for word in found["trade"].split() if len(word) > 3)


def _home(lowered: str, persona: Persona) -> bool:
    if not persona.living_situation:
        return False
    home, life = persona.living_situation.lower(), _life(persona)
    alone = re.search(r"\b(?:on my own|alone|by myself)\b", home) is not None
    attached = re.search(rf"\b(?:{PARTNER})\b", home) is not None
    return (
        (not alone and re.search(LIVES_ALONE, lowered) is not None)
        or (attached and re.search(SINGLE, lowered) is not None)
        or (re.search(rf"\b(?:{CHILD})\b", home) is not None and re.search(CHILDLESS, lowered) is not None)
        or ("parents" not in home and "mother" not in home and re.search(WITH_PARENTS, lowered) is not None)
        or ((alone or attached) and re.search(SHARES, lowered) is not None)
        or (not re.search(rf"\b(?:{PARTNER})\b", life) and re.search(OWN_PARTNER, lowered) is not None)
        or (not re.search(rf"\b(?:{CHILD})\b", life) and re.search(OWN_CHILDREN, lowered) is not None)
    )


@lru_cache(maxsize=256)
def _life(persona: Persona) -> str:
    return persona.model_dump_json(exclude={"id"}).lower()


@lru_cache(maxsize=256)
def _life_words(persona: Persona) -> str:
    return " ".join(words_of(_life(persona)))


CHECK = Check(
    name="contradiction",
    measures="age, name, trade and home that a patient states, beside its persona's; a partner or children nobody knows of",
    threshold="one statement that cannot be true of the persona (ages: more than a year off)",
    find=_find,
)
