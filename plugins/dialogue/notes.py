"""Notes to one speaker alone: the reminder against drift, and word that the session is about to end.

A note stands at the end of the last message that the speaker sees, since many chat templates allow no system message
there. It is never part of a turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cbtrun.plugin import ChatMessage

REMINDER = (
    "You are the patient, not a therapist and not an assistant. Speak as {{ persona.name }} would, in the first person, "
    "in one short turn. Keep to the facts of your life, do not get well all at once, and do not say goodbye before your "
    "therapist does."
)
CLOSING = (
    "The session ends in a few turns. Sum up what was worked on, agree on something to try until next time, ask how the "
    "session was, and say goodbye."
)
START, END = "\n\n[Note to you alone: ", "]"


def reminder_template(wanted: bool | str) -> str:
    """The template of the note against drift: the study's, ours, or none."""
    return wanted if isinstance(wanted, str) else REMINDER if wanted else ""


def with_note(messages: Sequence[ChatMessage], note: str) -> tuple[ChatMessage, ...]:
    """The messages with a note after the last one; a speaker who opens finds it in the system message."""
    if not note or not messages:
        return tuple(messages)
    last = messages[-1]
    return (*messages[:-1], replace(last, content=f"{last.content}{START}{note}{END}"))


def without_note(text: str) -> str:
    """A message as it was said."""
    said, mark, _ = text.partition(START.lstrip())
    return said.rstrip() if mark and text.rstrip().endswith(END) else text
