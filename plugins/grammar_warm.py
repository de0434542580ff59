"""A session of warm listening: mirroring, comfort, presence, and no structure at all.

As long as the session of cognitive behavioural therapy that the same brief would have given, turn by turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from cbtrun.plugins.grammar_brief import Brief, Written
from cbtrun.plugins.grammar_course import write_cbt
from cbtrun.plugins.patient_voice import Voice, open_voice
from cbtrun.plugins.phrasing import Phrasebook, finish, read_rules

WORDS = Path(__file__).parent / "grammar_supportive"

TELLING = ("tell_more", "heard", "alone_with_it", "past", "missing", "sense", "sigh")
MOST_PARTS = 5  # sentences or so in one turn of the therapist


def write_supportive(brief: Brief, rng: Random) -> Written:
    """One session of listening."""
    lengths = [(role, len(words.split())) for role, words in write_cbt(brief, rng).turns]
    voice = open_voice(brief.patient, brief.session.number, rng)
    book = Phrasebook(read_rules(WORDS))
    answers = _answers(len(lengths) // 2, brief.session.number, rng)
    turns: list[tuple[str, str]] = []
    owed = {"therapist": 0, "patient": 0}  # words that this speaker is behind the model session
    heard = ""
    for number, answer in enumerate(answers):
        for role, length in lengths[2 * number : 2 * number + 2]:
            owed[role] += length
            if role == "therapist":
                words = _listen(book, heard, voice, owed[role], (number == 0, answer == "bye"), rng)
            else:
                words = _answer(voice, answer, owed[role], rng)
            owed[role] -= len(words.split())
            turns.append((role, words))
        heard = answer
    told = voice.material.heard.get("event2", "how the week has been")
    return Written(tuple(turns), f"Talked about how {told}." if "event2" in voice.material.heard else f"Talked about {told}.")


def _answers(count: int, number: int, rng: Random) -> list[str]:
    """Kinds of answer, first to last: how it is, what happened, and then wherever it goes."""
    opening = ["how_are_you", "problem", "tell"] if number == 1 else ["how_are_you", "tell"]
    rest: list[str] = []
    while len(rest) < count:
        rest += rng.sample(TELLING, len(TELLING))
    return [*opening, *rest][: count - 1] + ["bye"]


def _listen(
    book: Phrasebook, heard: str, voice: Voice, words: int, ends: tuple[bool, bool], rng: Random
) -> str:
    """A turn of about `words` words: a mirror, some comfort, mostly an invitation to go on."""
    first, last = ends
    known = {"name": voice.material.slots["name"], **voice.material.heard}
    parts = [] if first else _mirror(book, heard, known, rng)
    closing = "greet" if first else "close" if last else "invite" if rng.random() < 0.8 else ""
    end = book.say(closing, known, rng) if closing else ""
    while len(parts) < MOST_PARTS and _count(parts) + len(end.split()) < words - 3 and not first:
        parts.append(book.say(rng.choice(("validate", "presence")), known, rng))
    if not parts and not end:
        parts.append(book.say("presence", known, rng))
    return finish(" ".join(part for part in (*parts, end) if part))


def _mirror(book: Phrasebook, heard: str, known: Mapping[str, str], rng: Random) -> list[str]:
    rule = f"mirror_{heard}"
    return [book.say(rule, known, rng)] if rule in book.rules else []


def _answer(voice: Voice, kind: str, words: int, rng: Random) -> str:
    """An answer of about `words` words: a second thing is told when the first is far too short."""
    text = voice.say(kind, colour=kind != "bye")
    if kind != "bye" and len(text.split()) < words - 8:
        text = f"{text} {voice.say(rng.choice(TELLING), colour=False)}"
    return text


def _count(parts: Sequence[str]) -> int:
    return sum(len(part.split()) for part in parts)
