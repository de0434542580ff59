"""What is wrong with one transcript by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cbtrun.plugin import Message, Transcript

EXAMPLE = 160
"""Most characters of an example."""

REFUSALS = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|\bi(?:'m| am) (?:an? (?:ai|language model)|just an? (?:ai|program))\b"
    r"|\bi(?:'m| am)? (?:sorry|afraid),? (?:but )?i (?:can(?:'|no)t|am unable to) (?:help|assist|comply|continue|fulfil)"
    r"|\bi can(?:'|no)t (?:assist|comply) with (?:that|this)\b"
    r"|\bi (?:cannot|can't) (?:create|generate|write) (?:that|this|such|content)\b",
    re.IGNORECASE,
)
OTHER_SPEAKER = re.compile(
    r"^[^\S\n]*+\**+(?:therapist|patient|client|counsell?or|user|assistant)\**+\s*+:", re.IGNORECASE | re.MULTILINE
)
LEAKS = re.compile(
    r"<\|[a-z_]+\|>|\[/?INST\]|<</?SYS>>|```|\{\s*\"(?:messages|role|content)\"\s*:"
    r"|\byou (?:write|are writing) (?:transcripts|a transcript)\b|\b(?:system|user) prompt\b|\bthe json object\b",
    re.IGNORECASE,
)
COMMON = {
    "en": "the and to of a i you that it is in was for my me on have with not do be what at so but",
    "de": "und die der ich das ist nicht zu sie in es ein wie auch mit den auf so was sich dass mir haben",
    "nl": "de het een en ik dat is niet van je in te op wat maar er zijn met voor ook zo dan heb mijn",
    "fr": "de la le et je les des que vous est pas un une en ce il qui ne pour dans sur mais avec me",
    "es": "de que la el y en no me es lo un por una los se con para mi te como pero su las qué",
}
LEAST_COMMON = 0.15
"""Share of the commonest words that any text of the language has; others of these languages have about half."""
FEWEST_WORDS = 40
"""Below so many words nobody can say."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a transcript."""

    check: str
    what: str
    example: str = ""


def faults(transcript: Transcript, options: Mapping[str, Any]) -> list[Fault]:
    """Everything wrong with a transcript, but copies: those need the others."""
    said = [message for message in transcript.messages if message.role != "system"]
    found = [*_alternation(said), *_length(said, options)]
    if options["language"] != "any":
        found += _language(said, options["language"])
    if options["character"]:
        found += _matches("refusal", REFUSALS, said, "refuses, or says that it is a machine")
        found += _matches("other speaker", OTHER_SPEAKER, said, "a turn holds another speaker's")
    if options["leaks"]:
        found += _matches("leak", LEAKS, said, "a prompt or template shows")
        found += _system_said(transcript, said)
    return found


def _alternation(said: Sequence[Message]) -> Iterator[Fault]:
    for number, (one, two) in enumerate(pairwise(said), start=2):
        if one.role == two.role:
            yield Fault("alternation", f"the {two.role} has turns {number - 1} and {number}", _short(two.content))
            return
    for role in ("therapist", "patient"):
        if not any(message.role == role for message in said):
            yield Fault("alternation", f"the {role} never speaks")
            return


def _length(said: Sequence[Message], options: Mapping[str, Any]) -> Iterator[Fault]:
    if len(said) < options["min_turns"]:
        yield Fault("length", f"{len(said)} turns, at least {options['min_turns']} wanted")
    for number, message in enumerate(said, start=1):
        words = len(message.content.split())
        if words == 0:
            yield Fault("length", f"turn {number} is empty")
            return
        if words > options["max_turn_words"]:
            most = options["max_turn_words"]
            yield Fault("length", f"turn {number} has {words} words, at most {most} wanted", _short(message.content))
            return


def _language(said: Sequence[Message], language: str) -> Iterator[Fault]:
    words = re.findall(r"[^\W\d_]+", " ".join(message.content for message in said).lower())
    if len(words) < FEWEST_WORDS:
        return
    shares = {name: _share(words, common) for name, common in COMMON.items()}
    best = max(shares, key=lambda name: shares[name])
    if shares[language] < LEAST_COMMON or shares[best] > 1.5 * shares[language]:
        seems = f"seems to be '{best}'" if shares[best] >= LEAST_COMMON else "is of no language known here"
        yield Fault("language", f"'{language}' wanted, {seems}", _short(said[0].content))


def _share(words: Sequence[str], common: str) -> float:
    known = set(common.split())
    return sum(word in known for word in words) / len(words)


def _matches(check: str, pattern: re.Pattern[str], said: Sequence[Message], what: str) -> Iterator[Fault]:
    for number, message in enumerate(said, start=1):
        found = pattern.search(message.content)
        if found:
            at = max(0, found.start() - 40)
            yield Fault(check, f"turn {number}: {what}", _short(message.content[at:]))
            return


def _system_said(transcript: Transcript, said: Sequence[Message]) -> Iterator[Fault]:
    """A sentence of the system prompt in what is said."""
    prompts = [message.content for message in transcript.messages if message.role == "system"]
    sentences = [one.strip() for prompt in prompts for one in re.split(r"[.!?\n]", prompt) if len(one.split()) >= 6]
    for number, message in enumerate(said, start=1):
        for sentence in sentences:
            if sentence in message.content:
                yield Fault("leak", f"turn {number}: says the system prompt", _short(sentence))
                return


def _short(text: str) -> str:
    return text if len(text) <= EXAMPLE else f"{text[: EXAMPLE - 1]}…"
