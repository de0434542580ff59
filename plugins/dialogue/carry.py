"""What one session of a course leaves to the next: a summary, the homework, the last turns.

The summary is made by a program from what was said, or by the therapist's own model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cbtrun.plugin import Speaker, Turn

MOST_WORDS = 24  # of a sentence that a program's summary takes over

ASKS = {
    "worked on": r"\bagenda\b|\bwork on\b|\bfocus on\b",
    "thought": r"\bgo(?:ing|es)? through your mind\b|\bwhich thought\b|\bwhat thought\b",
    "new view": r"\bfairer\b|\bbalanced\b|\banother way\b|\bother way of\b|\bboth sides\b.*\?|\bput (?:it|the thought) now\b",
}
"""What a summary tells -> the therapist's question that the patient's next turn answers."""

HOMEWORK = re.compile(
    r"\b(?:homework|until (?:next|we)|this week|between (?:now|sessions)|write down|each day)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Before:
    """What one earlier session left behind."""

    session: int
    """Its number, from 1."""
    summary: str = ""
    homework: str = ""
    last: tuple[Turn, ...] = ()
    """Its last turns."""
    phq9: int | None = None
    """PHQ-9 total at its start; told to the patient alone."""


def program_summary(turns: Sequence[Turn]) -> str:
    """What was said, in a few clauses: mood, topic, thought, new view; only what can be found."""
    parts = []
    mood = next(
        (found for turn in turns[:6] if turn.speaker == "patient" and (found := re.search(r"\b(10|\d)\b", turn.text))),
        None,
    )
    if mood:
        parts.append(f"Mood {mood[1]} of 10")
    for what, asked in ASKS.items():
        answer = _answer_to(turns, re.compile(asked, re.IGNORECASE))
        if answer:
            parts.append(f"{what}: {answer}" if what == "worked on" else f'{what} "{answer}"')
    return "; ".join(parts) + "." if parts else ""


def _answer_to(turns: Sequence[Turn], asked: re.Pattern[str]) -> str:
    """The patient's answer to the last question of a kind."""
    for place in range(len(turns) - 2, -1, -1):
        if turns[place].speaker == "therapist" and asked.search(turns[place].text) and "?" in turns[place].text:
            return _short(turns[place + 1].text)
    return ""


def homework_of(turns: Sequence[Turn]) -> str:
    """The therapist's sentence that sets the homework, the last one; empty where there is none."""
    for turn in reversed(turns[len(turns) // 2 :]):
        if turn.speaker == "therapist":
            for sentence in re.split(r"(?<=[.!?])\s+", turn.text):
                if HOMEWORK.search(sentence):
                    return _short(sentence)
    return ""


def _short(text: str) -> str:
    words = text.replace('"', "").split()
    return " ".join(words[:MOST_WORDS]).rstrip(".") + (" ..." if len(words) > MOST_WORDS else "")


def before_text(
    speaker: Speaker, number: int, sessions: int, before: Sequence[Before], options: Mapping[str, Any]
) -> str:
    """What a speaker is told of the course: which session this is, and what the last ones left. Empty for one session."""
    if sessions == 1:
        return ""
    other = "this patient" if speaker == "therapist" else "your therapist"
    told = before[-options["most"] :]
    lines = [f"This is session {number} of {sessions} with {other}.", *_told(speaker, told, options)]
    if before and before[-1].last:
        lines.append(f"The last words of session {before[-1].session}:")
        lines += [f"{turn.speaker.capitalize()}: {turn.text}" for turn in before[-1].last]
    return "\n".join(lines)


def _told(speaker: Speaker, told: Sequence[Before], options: Mapping[str, Any]) -> Iterable[str]:
    for one in told:
        parts = [one.summary] if one.summary else []
        parts += [f"Homework: {one.homework}."] if one.homework and options["homework"] else []
        parts += [f"Your PHQ-9 was {one.phq9}."] if one.phq9 is not None and speaker == "patient" else []
        if parts:
            yield f"Session {one.session}: {' '.join(parts)}"


SUMMARY_REQUEST = (
    "The session is over. For yourself, write in at most 60 words what you must know in the next session: what the patient "
    "brought, what was worked on, and what was agreed."
)
