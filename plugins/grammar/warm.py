"""A session of warm listening: mirroring, comfort, presence, and no structure at all.

As long as the session of cognitive behavioural therapy that the same brief would have given, turn by turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from cbtrun.plugins.grammar.brief import Brief, Written
from cbtrun.plugins.grammar.course import FEWEST_WORDS, MOST_WORDS, QUOTES, write_cbt
from cbtrun.plugins.patients.voice import Voice, open_voice
from cbtrun.plugins.wording.phrasing import Phrasebook, finish, read_rules

WORDS = Path(__file__).parent / "supportive"

TELLING = ("tell_more", "heard", "alone_with_it", "past", "missing", "sense", "sigh")
MORE = ("alone_with_it", "missing", "past", "sense")  # can be added to any answer


def write_supportive(brief: Brief, rng: Random) -> Written:
    """One session of listening."""
    lengths = [(role, len(words.split())) for role, words in write_cbt(_with_homework(brief), rng).turns]
    voice = open_voice(brief.patient, brief.session.number, rng)
    book = Phrasebook(read_rules(WORDS))
    turns: list[tuple[str, str]] = []
    owed = {"therapist": 0, "patient": 0}  # words that this speaker is behind the model session
    answer = ""
    for number, (role, length) in enumerate(lengths):
        owed[role] += length
        if role == "therapist":
            words = _listen(book, answer, voice, owed[role], _place(number, len(lengths)), rng)
        else:
            answer = _next_answer(number // 2, len(lengths) // 2, brief.session.number, voice, rng)
            words = _answer(voice, answer, owed[role], rng)
        owed[role] -= len(words.split())
        turns.append((role, words))
    told = voice.material.heard.get("event2")
    return Written(tuple(turns), f"Talked about how {told}." if told else "Talked about how things have been.")


def _with_homework(brief: Brief) -> Brief:
    """The brief as it would be in a course with homework: reviewing it takes turns, and sessions are to be as long."""
    return brief.model_copy(
        update={"before": tuple(one.model_copy(update={"homework": "try"}) for one in brief.before)}
    )


def _place(number: int, count: int) -> str:
    return "greet" if number == 0 else "close" if number >= count - 2 else "invite"


def _next_answer(number: int, count: int, session: int, voice: Voice, rng: Random) -> str:
    """Kind of the next answer: how it is, what happened, and then wherever it goes without telling a thing twice."""
    opening = ["how_are_you", "problem", "tell"] if session == 1 else ["how_are_you", "tell"]
    if number == count - 1:
        return "bye"
    if number < len(opening):
        return opening[number]
    return rng.choice([kind for kind in TELLING if voice.can(kind)] or ["heard", "sigh"])


def _listen(book: Phrasebook, heard: str, voice: Voice, words: int, place: str, rng: Random) -> str:
    """A turn of about `words` words: a mirror, some comfort, mostly an invitation to go on."""
    known = {"name": voice.material.slots["name"], **voice.material.heard}
    if place == "greet":
        return book.say("greet", known, rng)
    quotes = voice.quote and rng.random() < QUOTES
    parts = (
        [book.say("mirror_echo", {"quote": voice.quote}, rng)] if quotes else _mirror(book, heard, known, voice, rng)
    )
    end = book.say(place, known, rng) if place == "close" or rng.random() < 0.8 else ""
    goal = min(max(words - 3, FEWEST_WORDS), MOST_WORDS - 8)
    while _count([*parts, end]) < goal:
        parts.append(book.say(rng.choice(("validate", "presence")), known, rng))
    if _count([*parts, end]) > MOST_WORDS:
        parts.pop()
    return finish(" ".join(part for part in (*parts, end) if part))


def _mirror(book: Phrasebook, heard: str, known: Mapping[str, str], voice: Voice, rng: Random) -> list[str]:
    rule = f"mirror_{heard}"
    return [book.say(rule, known, rng, prefer=voice.material.latest)] if rule in book.rules else []


def _answer(voice: Voice, kind: str, words: int, rng: Random) -> str:
    """An answer of about `words` words: a second thing is told when the first is far too short."""
    text = voice.say(kind, colour=kind != "bye")
    more = [other for other in MORE if other != kind and voice.can(other)]
    if kind != "bye" and len(text.split()) < words - 8 and more:
        text = f"{text} {voice.say(rng.choice(more), colour=False)}"
    return text


def _count(parts: Sequence[str]) -> int:
    return sum(len(part.split()) for part in parts)
