"""Who is the therapist: by the words that files have for speakers, by what the user says, or as a guess that is marked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cbtrun.errors import SpecError
from cbtrun.intake.harmless import harmless, quoted

WORDS: Mapping[str, tuple[str, ...]] = {
    "therapist": (
        *("therapist", "counselor", "counsellor", "counseller", "clinician", "psychologist", "psychotherapist"),
        *("psychiatrist", "doctor", "dr", "provider", "coach", "interviewer", "supporter", "helper", "listener"),
        *("assistant", "gpt", "chatgpt", "model", "bot", "chatbot", "ai", "agent", "llm", "claude", "gemini", "sys"),
        *("t", "th", "co", "therapeut", "therapeutin", "thérapeute", "terapeuta", "behandler", "behandelaar"),
        *("咨询师", "心理咨询师", "治疗师", "支持者", "医生"),
    ),
    "patient": (
        *("patient", "client", "seeker", "helpseeker", "help_seeker", "interviewee", "participant", "member"),
        *("caller", "visitor", "speaker_client", "user", "usr", "human", "person", "c", "p", "cl", "pt", "cx"),
        *("patientin", "klient", "klientin", "cliente", "paciente", "paziente", "cliënt", "来访者", "求助者", "患者"),
    ),
    "skip": ("system", "tool", "function", "developer", "note", "notes", "narrator", "observer", "title"),
}
"""Part in a session -> what files call who has it, in small letters."""
MACHINE_WORDS = (
    "assistant",
    "gpt",
    "chatgpt",
    "model",
    "bot",
    "chatbot",
    "ai",
    "agent",
    "llm",
    "claude",
    "gemini",
    "sys",
)
"""Words for a model, which plays the patient in some sets of role-play."""
MOST_SPEAKERS = 40
FEWEST_TURNS = 6
"""Turns of each, below which nothing is guessed from how they talk."""
_QUESTION = re.compile("[?？]")


@dataclass
class SpeakerTally:
    """How one speaker of a file talks."""

    turns: int = 0
    questions: int = 0
    """Turns with a question in them."""

    @property
    def asks(self) -> float:
        """Share of the turns in which something is asked."""
        return self.questions / self.turns if self.turns else 0.0


@dataclass(frozen=True)
class Speakers:
    """Who is who."""

    parts: Mapping[str, str]
    """The file's word -> `therapist`, `patient` or `skip`."""
    reasons: Sequence[str]
    """Why, in sentences."""
    guessed: bool = False
    """Whether it rests on how they talk, not on a word."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Speaker who is left out -> turns."""


def talks_of(said: Iterable[tuple[str, str]]) -> dict[str, SpeakerTally]:
    """Each speaker's way to talk, by the file's word. said: (speaker, text)."""
    talks: dict[str, SpeakerTally] = {}
    for speaker, text in said:
        talk = talks.setdefault(speaker, SpeakerTally())
        talk.turns += 1
        talk.questions += bool(_QUESTION.search(text))
    return talks


def known_part(word: str) -> str:
    """The part that a word names; empty for a word that names none."""
    plain = re.sub(r"[\s_-]?\d{1,3}\Z", "", word[:60].strip().casefold()).strip(" .:*()[]<>")
    return next((part for part, words in WORDS.items() if plain in words or plain.replace(" ", "_") in words), "")


def speakers_of(talks: Mapping[str, SpeakerTally], said: Mapping[str, Sequence[str]], source: object) -> Speakers:
    """Who is who in a file. said: part -> the words that the user gives for it.

    Raises SpecError where it cannot be known, with the words that there are and the options that say it.
    """
    if len(talks) > MOST_SPEAKERS:
        what = f"{len(talks):,} speakers, e.g. {_list(list(talks)[:4])}: the column of speakers seems to be another one"
        raise SpecError.at(str(source), f"{what}; say --column speaker=NAME")
    unknown = [word for words in said.values() for word in words if word not in talks]
    if unknown:
        raise SpecError.at(str(source), f"nobody is called {quoted(unknown[0])}; {_who(talks)}")
    parts = {word: part for part, words in said.items() for word in words}
    reasons = [f"{harmless(word, 24)} is the {part}, as you say" for word, part in parts.items() if part != "skip"]
    _by_words(parts, reasons, talks)
    missing = [part for part in ("therapist", "patient") if part not in parts.values()]
    guessed = False
    if missing:
        guessed = _rest(parts, reasons, talks, missing, source)
    for word in talks:
        if word not in parts:
            parts[word] = "skip"
            reasons.append(
                f"{quoted(word, 24)} is neither by its word; its turns are left out (--patient or --therapist takes them)"
            )
    order = ("therapist", "patient", "skip")
    ordered = dict(sorted(parts.items(), key=lambda pair: order.index(pair[1])))
    skipped = {word: talks[word].turns for word, part in ordered.items() if part == "skip" and word in talks}
    return Speakers(ordered, reasons, guessed, skipped)


def _by_words(parts: dict[str, str], reasons: list[str], talks: Mapping[str, SpeakerTally]) -> None:
    """What the words of speakers say. A side that the user has named is not widened."""
    own = {*parts.values()}
    machines = []
    for word in talks:
        part = known_part(word)
        if word in parts or not part or part in own:
            continue
        parts[word] = part
        if part != "skip":
            reasons.append(f"{quoted(word, 24)} is a word for the {part}")
        machines += [word] if part == "therapist" and word.casefold() in MACHINE_WORDS else []
    if machines:
        asked = f"if the model plays the patient here, say --patient {harmless(machines[0], 24)}"
        reasons.append(f"a model is taken for the therapist; {asked}")


def _rest(
    parts: dict[str, str], reasons: list[str], talks: Mapping[str, SpeakerTally], missing: Sequence[str], source: object
) -> bool:
    """Parts that no word tells: the one speaker who is left, or a guess by who asks. Gives whether it is a guess."""
    left = [word for word in talks if word not in parts]
    if len(missing) == 1 and len(left) == 1:
        parts[left[0]] = missing[0]
        reasons.append(f"{quoted(left[0], 24)} is the {missing[0]}, being the other one")
        return False
    if len(missing) == 2 and len(left) == 2:
        more, less = sorted(left, key=lambda word: talks[word].asks, reverse=True)
        asks, other = talks[more], talks[less]
        if min(asks.turns, other.turns) >= FEWEST_TURNS and asks.asks >= 0.25 and asks.asks >= 2 * other.asks:
            parts.update({more: "therapist", less: "patient"})
            reasons.append(
                f"A GUESS: {quoted(more, 24)} is taken for the therapist, since {asks.asks:.0%} of those turns ask something "
                f"and {other.asks:.0%} of those of {quoted(less, 24)}; --therapist and --patient say it"
            )
            return True
    whom = " and ".join(f"the {part}" for part in missing)
    first, *others = left or [*talks]
    example = f"--therapist {_word(first)} --patient {_word(others[0] if others else 'WORD')}, or the other way round"
    raise SpecError.at(str(source), f"who is {whom} cannot be known: {_who(talks)}. Say it: {example}")


def _word(word: str) -> str:
    shown = harmless(word, 24)
    return f'"{shown}"' if " " in shown or not shown else shown


def _who(talks: Mapping[str, SpeakerTally]) -> str:
    busy = Counter({word: talk.turns for word, talk in talks.items()}).most_common(8)
    told = ", ".join(f"{quoted(word, 24)} ({count:,})" for word, count in busy)
    return f"speakers (turns) are {told}"


def _list(words: Sequence[str]) -> str:
    return ", ".join(quoted(word, 24) for word in words)
