"""In which language a session is held, and whether somebody who reads certain languages alone can rate it.

py3langid (BSD, naive Bayes over short runs of bytes, a model of 4.5 MB in the package, no network) says how likely each turn
is in each language. A turn counts as another language's where that is e^20 times as likely: five words of English reach e^13
at most, eight words of another language e^28 at least (docs/raters.md has the counts). What is not that clear counts for
nothing: a session of "Mm-hmm" and "OK" is in any language.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

SURE = 20.0
"""Natural logarithm of how much likelier another language must be, for a turn to count as its; twice that for one without
a name below: slang and odd names resemble rare languages."""
SHARE = 1 / 3
"""Part of what can be told in a session from which on it is held in another language too."""
FEWEST_LETTERS = 4
"""Of a text whose language is asked at all."""
MOST_TURNS, MOST_CHARACTERS = 40, 160
"""Of a session, evenly drawn, and of the beginning of each turn: more makes it slower and no surer."""
NAMES: Mapping[str, str] = dict(
    pair.split("=")
    for pair in [
        "af=Afrikaans",
        "am=Amharic",
        "ar=Arabic",
        "az=Azerbaijani",
        "be=Belarusian",
        "bg=Bulgarian",
        "bn=Bengali",
        "bs=Bosnian",
        "ca=Catalan",
        "cs=Czech",
        "cy=Welsh",
        "da=Danish",
        "de=German",
        "el=Greek",
        "en=English",
        "eo=Esperanto",
        "es=Spanish",
        "et=Estonian",
        "eu=Basque",
        "fa=Persian",
        "fi=Finnish",
        "fr=French",
        "ga=Irish",
        "gl=Galician",
        "gu=Gujarati",
        "ha=Hausa",
        "he=Hebrew",
        "hi=Hindi",
        "hr=Croatian",
        "hu=Hungarian",
        "hy=Armenian",
        "id=Indonesian",
        "is=Icelandic",
        "it=Italian",
        "ja=Japanese",
        "ka=Georgian",
        "kk=Kazakh",
        "km=Khmer",
        "kn=Kannada",
        "ko=Korean",
        "ku=Kurdish",
        "la=Latin",
        "lt=Lithuanian",
        "lv=Latvian",
        "mk=Macedonian",
        "ml=Malayalam",
        "mr=Marathi",
        "ms=Malay",
        "my=Burmese",
        "ne=Nepali",
        "nl=Dutch",
        "no=Norwegian",
        "pa=Punjabi",
        "pl=Polish",
        "ps=Pashto",
        "pt=Portuguese",
        "ro=Romanian",
        "ru=Russian",
        "sk=Slovak",
        "sl=Slovene",
        "sq=Albanian",
        "sr=Serbian",
        "sv=Swedish",
        "sw=Swahili",
        "ta=Tamil",
        "te=Telugu",
        "th=Thai",
        "tl=Tagalog",
        "tr=Turkish",
        "uk=Ukrainian",
        "ur=Urdu",
        "si=Sinhala",
        "so=Somali",
        "uz=Uzbek",
        "vi=Vietnamese",
        "yo=Yoruba",
        "zh=Chinese",
        "zu=Zulu",
    ]
)
"""Code of ISO 639 -> name; a language without one here is told by its code."""
_LETTERS = re.compile(r"[^\W\d_]")
_MARKED = re.compile(r"\[[^\]]*\]|https?://\S+|\S+@\S+")
"""What is no speech: notes of who transcribed, addresses."""


@dataclass(frozen=True)
class Spoken:
    """What a session is held in."""

    shares: Mapping[str, float]
    """Language -> its part of what can be told, 0 to 1; empty where nothing can."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that it is held in, the most spoken first; empty where that cannot be told."""
        return tuple(code for code, share in self.shares.items() if share >= SHARE) or tuple(self.shares)[:1]

    def is_beyond(self, languages: Sequence[str]) -> bool:
        """Whether a part that matters is in other languages than these."""
        return sum(share for code, share in self.shares.items() if code not in languages) >= SHARE

    @property
    def words(self) -> str:
        """The languages by their names: `German`, `English and German`."""
        return " and ".join(language_name(code) for code in self.languages)


def spoken_in(turns: Sequence[str], expected: Sequence[str] = ("en",)) -> Spoken:
    """What the turns of a session are in. expected: codes of languages that a turn is in unless another is much likelier."""
    letters: Counter[str] = Counter()
    unclear: list[str] = []
    for text in _drawn(turns):
        code = _language(text, tuple(expected))
        if code:
            letters[code] += _count(text)
        else:
            unclear.append(text)
    if unclear and (
        code := _language(" ".join(unclear), tuple(expected))
    ):  # many short turns are one text of some length
        letters[code] += sum(map(_count, unclear))
    whole = letters.total()
    return Spoken({code: count / whole for code, count in letters.most_common()} if whole else {})


def why_unreadable(turns: Sequence[str], languages: Sequence[str]) -> str:
    """Why nobody who reads these languages alone can rate a session; empty where they can, or where it cannot be told.

    languages: codes of ISO 639; none at all means any.
    """
    if not languages:
        return ""
    spoken = spoken_in(turns, languages)
    if not spoken.is_beyond(languages):
        return ""
    read = " and ".join(map(language_name, languages))
    others = "" if {*spoken.languages} - {*languages} else " and others, each a little"
    return f"the session is in {spoken.words}{others}, and the rater reads {read} alone"


def language_name(code: str) -> str:
    """The name of a language, or its code in quotes."""
    return NAMES.get(code, f"'{code}'")


def _drawn(turns: Sequence[str]) -> Iterator[str]:
    """The beginnings of turns, of many turns evenly spread ones, without what is no speech."""
    said = [text for turn in turns if _count(text := _MARKED.sub(" ", turn[: 4 * MOST_CHARACTERS])[:MOST_CHARACTERS])]
    step = max(1.0, len(said) / MOST_TURNS)
    return (said[int(number * step)] for number in range(min(len(said), MOST_TURNS)))


@lru_cache(maxsize=2**16)  # each rating of a session asks it of the same turns
def _language(text: str, expected: tuple[str, ...]) -> str:
    """The language of a text: of those expected, unless another is clearly likelier; empty where none is clear."""
    if _count(text) < FEWEST_LETTERS:
        return ""
    ranked: list[tuple[str, float]] = _identifier().rank(_without_names(text))
    (best, likeliest), likelihood = ranked[0], dict(ranked)
    near = max(expected, key=lambda code: likelihood.get(code, float("-inf")))
    behind = likeliest - likelihood.get(near, float("-inf"))
    if behind > (SURE if best in NAMES else 2 * SURE):
        return best
    others = max((score for code, score in ranked if code not in expected), default=float("-inf"))
    return near if likelihood.get(near, float("-inf")) > others else ""


def _without_names(text: str) -> str:
    """A text without words with a capital inside a sentence: names are in no language, or in that of who gave them."""
    words = text.split()
    begins = [True, *(word[-1] in ".?!:…" for word in words[:-1])]
    return " ".join(word for word, first in zip(words, begins, strict=False) if first or not _is_name(word))


def _is_name(word: str) -> bool:
    letters = _LETTERS.findall(word)
    return len(letters) > 1 and letters[0].isupper() and not letters[1].isupper()


def _count(text: str) -> int:
    return len(_LETTERS.findall(text))


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """The model, read once: half a second."""
    from py3langid import langid

    return langid
