"""What a patient takes a therapist's turn for: which question it is, or a mirror, comfort, advice, or no sense at all.

A listener's ear and nothing more: it tells what to answer, and judges nobody.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from cbtrun.plugins.patients.manner import EAR, Manner, shipped_manner
from cbtrun.plugins.personas.material import sentences
from cbtrun.plugins.wording.phrasing import read_rules

OPEN = re.compile(r"^(what|how|why|where|when|which|who)\b", re.IGNORECASE)
INVITES = re.compile(
    r"^(tell|describe|say|go on|pick|walk|take me|give me|imagine|picture|think back|please|i'd (like|be glad) to hear)\b",
    re.IGNORECASE,
)

_DULL = frozenset({
    "a", "about", "after", "again", "all", "also", "always", "am", "an", "and", "any", "anything", "are", "as",
    "at", "be", "because", "been", "before", "being", "but", "by", "came", "can", "come", "could", "day", "did",
    "do", "does", "doing", "don't", "done", "each", "else", "even", "ever", "every", "everything", "feel",
    "feeling", "felt", "for", "from", "get", "getting", "go", "going", "good", "got", "had", "has", "have", "he",
    "hear", "her", "here", "him", "his", "how", "i", "i'd", "i'll", "i'm", "i've", "if", "in", "into", "is", "it",
    "it's", "its", "just", "know", "let", "like", "little", "look", "lot", "made", "make", "makes", "many", "may",
    "maybe", "me", "mean", "might", "mind", "more", "most", "much", "must", "my", "no", "not", "nothing", "now",
    "of", "off", "often", "on", "once", "one", "only", "or", "other", "our", "out", "over", "own", "part", "people",
    "perhaps", "put", "quite", "rather", "really", "right", "said", "same", "say", "see", "seem", "seems", "she",
    "should", "so", "some", "somebody", "someone", "something", "sometimes", "sort", "sound", "sounds", "still",
    "such", "take", "tell", "than", "that", "that's", "the", "their", "them", "then", "there", "these", "they",
    "thing", "things", "think", "thinking", "this", "those", "thought", "through", "time", "to", "today", "told",
    "too", "two", "up", "us", "very", "want", "was", "way", "we", "week", "well", "went", "were", "what", "when",
    "where", "which", "while", "who", "why", "will", "with", "would", "yes", "yet", "you", "you'd", "you'll",
    "you're", "you've", "your", "yourself",
})  # fmt: skip
"""Words that everybody uses: sharing them says nothing."""


@lru_cache(maxsize=1)
def signs() -> Mapping[str, re.Pattern[str]]:
    """`farewell`, `advice` and `comfort` -> what gives them away."""
    return {
        kind: re.compile(rf"\b({'|'.join(words)})\b", re.IGNORECASE)
        for kind, words in read_rules(EAR / "signs.yaml").items()
    }


@dataclass(frozen=True)
class Heard:
    """How a turn of the therapist came across."""

    question: str = ""
    """A kind of the manner's questions, `open`, `closed`, or empty when nothing was asked."""
    farewell: bool = False
    advice: bool = False
    comfort: bool = False
    mirror: bool = False
    """Says back what the patient has told."""
    mistaken: bool = False
    """Says back what the patient never told."""
    senseless: bool = False
    repeated: bool = False
    """The same as an earlier turn of the therapist, or nearly."""


def hear(turn: str, earlier: Sequence[str], own: str, world: str, manner: Manner | None = None) -> Heard:
    """How a turn comes across.

    earlier: the therapist's turns before it; own: all that the patient has said; world: all that belongs to its life.
    """
    manner = manner or shipped_manner()
    if senseless(turn, f"{own} {world} {manner.heard}"):
        return Heard(senseless=True)
    said, statements = _asked(turn)
    told, life = content_words(own), content_words(world) | content_words(own)
    back = content_words(_said_back(statements))
    mine = f"{own} {world}".lower()
    return Heard(
        question=_question(said, turn, manner),
        farewell=bool(signs()["farewell"].search(turn)) and not _still_asks(turn),
        advice=bool(signs()["advice"].search(turn)),
        comfort=bool(signs()["comfort"].search(turn)),
        mirror=len(content_words(statements) & told) >= 2,
        mistaken=(len(back) >= 2 and len(back & life) * 4 < len(back)) or _misquotes(turn, mine),
        repeated=any(alike(turn, other) > 0.75 for other in earlier),
    )


def _asked(turn: str) -> tuple[str, str]:
    """What is asked (the last question, or the last sentence that invites), and the rest of the turn."""
    parts = [part for part in sentences(turn) if part]
    asks = [n for n, part in enumerate(parts) if part.rstrip('"').endswith("?") or INVITES.match(part)]
    if not asks:
        return "", turn
    first = asks[-2] if len(asks) > 1 and asks[-1] - asks[-2] == 1 else asks[-1]
    return " ".join(parts[first : asks[-1] + 1]), " ".join(part for n, part in enumerate(parts) if n not in asks)


def _question(asked: str, turn: str, manner: Manner) -> str:
    """The kind of what is asked; when the question alone does not tell, the rest of the turn may."""
    if not asked:
        return ""
    return _kind(asked, manner) or _kind(turn, manner) or ("open" if _opens(sentences(asked)[-1]) else "closed")


def _opens(sentence: str) -> bool:
    return bool(OPEN.match(sentence) or INVITES.match(sentence))


def _kind(words: str, manner: Manner) -> str:
    lowered = words.lower()
    return next((kind for kind, pattern in manner.questions.items() if pattern.search(lowered)), "")


def _still_asks(turn: str) -> bool:
    return turn.rstrip().endswith("?")


def _said_back(statements: str) -> str:
    """What is put to the patient as its own: quotations, and clauses with "you" and a past."""
    quotes = re.findall(r'"([^"]{6,})"', statements)
    clauses = re.findall(
        r"\b(?:so|when|because|that) (you(?:r \w+)? \w+(?:ed|t|w|d|ent)\b[^.,;?!]*)", statements, re.IGNORECASE
    )
    return " ".join([*quotes, *clauses])


def _misquotes(turn: str, mine: str) -> bool:
    """Whether words are put in quotation marks as the patient's own that are nothing like anything it has said."""
    if not re.search(
        r"\b(you (say|said|thought|think|told|believe)|your? (thought|words)|the thought)\b", turn, re.IGNORECASE
    ):
        return False
    quotes = [quote for quote in re.findall(r'"([^"]+)"', turn.lower()) if len(quote.split()) >= 3]
    return any(
        quote.rstrip(".!?,") not in mine and all(alike(quote, one) < 0.5 for one in re.split(r'[.!?"]', mine))
        for quote in quotes
    )


def senseless(turn: str, known: str) -> bool:
    """Whether a turn is no speech: next to nothing, stuck in a loop, or mostly words that nobody knows."""
    words = re.findall(r"[a-z']+", turn.lower())
    if len(words) < 2:
        return not re.fullmatch(
            r"(mm+|hm+|yes|okay|right|hello|hi|and|so|why|really|go on|bye|goodbye)", " ".join(words)
        )
    threes = Counter(zip(words, words[1:], words[2:], strict=False))
    if len(words) >= 9 and max(threes.values(), default=0) >= 3:
        return True
    if len(words) >= 9 and sum(word in _DULL for word in words) < 0.15 * len(words):
        return True  # spoken language is held together by small words
    stutters = sum(one == two for one, two in pairwise(words))
    if stutters >= 2 and stutters * 8 >= len(words):
        return True
    strange = sum(word not in vocabulary() and word not in _words_of(known) for word in words)
    return strange > max(1, 0.6 * len(words))


def alike(one: str, other: str) -> float:
    """Share of words that two turns have in common, 0 to 1."""
    first, second = words_in(one), words_in(other)
    return len(first & second) / max(1, len(first | second))


@lru_cache(maxsize=16384)
def words_in(text: str) -> frozenset[str]:
    """The words of a turn or a sentence: each is compared with many others."""
    return frozenset(re.findall(r"[a-z']+", text.lower()))


@lru_cache(maxsize=256)
def content_words(text: str) -> frozenset[str]:
    """The words of a text that say something, endings cut so that "walked" and "walks" meet."""
    words = re.findall(r"[a-z']+", text.lower())
    return frozenset(re.sub(r"(ing|ed|es|s|'s)$", "", word) for word in words if len(word) > 2 and word not in _DULL)


@lru_cache(maxsize=64)
def _words_of(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z']+", text.lower()))


@lru_cache(maxsize=1)
def vocabulary() -> frozenset[str]:
    """Words that a patient understands: those of all shipped words and life stories, and everyday ones."""
    plugins = Path(__file__).parents[1]
    folders = [plugins / name for name in ("grammar/cbt", "grammar/supportive", "patients/words")]
    texts = [text for folder in folders for rule in read_rules(folder).values() for text in rule]
    return frozenset(re.findall(r"[a-z']+", " ".join(texts).lower())) | _DULL
