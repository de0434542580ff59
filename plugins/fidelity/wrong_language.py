"""Wrong language: a turn, or a part of it, that is not in the session's language. Knows English sessions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from cbtrun.plugins.fidelity.finding import Case, Check, Finding, spoken_sentences, words_of

FEWEST_WORDS = 6  # foreign words of a sentence, or in all: a borrowed phrase is no fault
OTHER_LETTERS = 4  # letters of another script

FUNCTION_WORDS = {
    "de": "ich nicht und der die das es ist mir mich ein eine zu so wie was aber weil war wenn auch noch nur hat habe sich auf mit für dem den oder sie wir man immer sehr alles aus bei bin sein können",
    "fr": "je ne pas le la les des un une et que qui est suis c'est de du pour avec mais dans sur mon ma mes tout tous parce plus j'ai me moi ça comme toujours avoir être sans bien était fait",
    "es": "no sé que de el la los las un una y es me mi mis por para con pero muy todo esto se lo siento puedo estoy desde qué cuando como siempre estar ser ya sin",
    "it": "non che di il la le un una e è mi mio per con ma più tutto così sono ho lo come questo anche riesco",
    "pt": "não que de o a os as um uma e é me meu minha por para com mas muito tudo estou há eu isso consigo",
    "nl": "ik niet het de een en is dat voor mij met maar meer kan te veel niet gewoon allemaal wel van wat heb",
    "pl": "nie wiem co mam się jest to że mnie dla na i w z jak ale bo wszystko mi tak już",
    "sv": "jag inte och det är att en ett som för mig med men på så har vad",
    "tr": "bir ve ben bu için çok değil ne gibi ama daha her şey",
}
KNOWN = {language: frozenset(words.split()) for language, words in FUNCTION_WORDS.items()}
ENGLISH = frozenset(
    [
        "the",
        "a",
        "an",
        "and",
        "or",
        "but",
        "i",
        "you",
        "he",
        "she",
        "it",
        "we",
        "they",
        "me",
        "my",
        "your",
        "is",
        "am",
        "are",
        "was",
        "were",
        "be",
        "been",
        "to",
        "of",
        "in",
        "on",
        "at",
        "for",
        "with",
        "that",
        "this",
        "not",
        "no",
        "don't",
        "can't",
        "i'm",
        "it's",
        "so",
        "just",
        "do",
        "did",
        "have",
        "has",
        "had",
        "know",
        "feel",
        "like",
        "what",
        "when",
        "how",
        "as",
        "if",
        "all",
        "about",
        "up",
        "out",
        "get",
        "got",
        "there",
        "then",
        "than",
        "them",
        "his",
        "her",
        "our",
        "their",
        "would",
        "could",
        "should",
        "will",
        "can",
        "yes",
        "yeah",
        "well",
        "think",
        "because",
        "from",
        "by",
    ]
)


def _find(case: Case) -> Iterator[Finding]:
    if case.language != "en":
        return
    for number, turn in enumerate(case.turns, 1):
        foreign = [part for part in spoken_sentences(turn.text) if not english(part)]
        if sum(_weight(part) for part in foreign) >= 1:
            yield Finding("wrong_language", turn.speaker, number, foreign[0])


def english(sentence: str) -> bool:
    """Whether a sentence may be English; short ones may."""
    if _other_script(sentence):
        return False
    words = words_of(sentence)
    ours = sum(word in ENGLISH for word in words)
    theirs = max(sum(word in known for word in words) for known in KNOWN.values())
    return theirs < 3 or theirs <= 2 * ours or theirs * 5 < len(words)


def _weight(sentence: str) -> float:
    """How much a foreign sentence counts: 1 is enough for a turn."""
    return 1.0 if _other_script(sentence) else len(words_of(sentence)) / FEWEST_WORDS


def _other_script(sentence: str) -> bool:
    letters = [letter for letter in sentence if letter.isalpha()]
    other = sum(not unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    return other >= OTHER_LETTERS and other * 2 > len(letters) and re.search(r"\w", sentence) is not None


CHECK = Check(
    name="wrong_language",
    measures="sentences in another script, or with the small words of another language instead of English ones",
    threshold=f"{FEWEST_WORDS} words of such sentences in a turn, or one sentence in another script",
    find=_find,
)
