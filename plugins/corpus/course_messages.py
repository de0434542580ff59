"""What an author is told for one session of a course, and what it must give back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict, Field, field_validator

from cbtrun.plugin import Answer, ChatMessage, Persona, Record
from cbtrun.plugins.corpus.course_plan import Course
from cbtrun.plugins.practices.practice import named_practice

REGISTERS = {
    "cbt": (
        "The therapist practises cognitive behavioural therapy with warmth and skill: mood check, bridge from the last "
        "session, homework review, a shared agenda, one main piece of work by Socratic questions on this patient's own "
        "thoughts and habits, new homework, a summary, and a request for feedback. Use the session's techniques."
    ),
    "supportive": (
        "The therapist listens warmly: mirrors, comforts, stays, invites the patient to go on. There is no structure: "
        "no agenda, no mood rating, no homework, no testing of thoughts, no exercises, no summary, no request for "
        "feedback. Ignore the session's aims and techniques. `homework` is empty."
    ),
    "shuffled": (
        "The patient speaks as in a session of cognitive behavioural therapy. The therapist's sentences are those of "
        "such a session too, but in an order that makes no sense, and meant for another patient with another story."
    ),
}

AUTHOR_SYSTEM = """\
You write transcripts of psychotherapy sessions, to train a therapist model on.
The user message is a JSON object: `patient` (a persona; keep to its facts, its way of talking and its pace of
disclosure), `session` (number, phase, aims and techniques), `before` (what earlier sessions left behind), `register`.
{register}
The therapist opens, the two take turns, the patient says goodbye last: 16 to 28 messages. A turn of the therapist has 8
to 45 words and takes up what the patient has just said; a turn of the patient has 2 to 60 words.
Answer with one JSON object and nothing else:
{{"messages": [{{"role": "therapist", "content": "..."}}, {{"role": "patient", "content": "..."}}],
"summary": "what the next session must know, one or two sentences", "homework": "what was agreed, or empty"}}"""


class WrittenTurn(Record):
    """One turn as the author gives it."""

    role: Literal["therapist", "patient"]
    content: str = Field(min_length=1)


class WrittenSession(Answer):
    """An author's answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: tuple[WrittenTurn, ...] = Field(min_length=2)
    summary: str
    homework: str = ""

    @field_validator("messages")
    @classmethod
    def _take_turns(cls, messages: tuple[WrittenTurn, ...]) -> tuple[WrittenTurn, ...]:
        """The therapist opens and the speakers alternate; nobody says nothing."""
        for number, message in enumerate(messages):
            expected = ("therapist", "patient")[number % 2]
            if message.role != expected:
                raise ValueError(
                    f"message {number + 1} must be the {expected}'s: the therapist opens, then they take turns"
                )
            if not message.content.strip():
                raise ValueError(f"message {number + 1} is empty")
        return messages


class Before(Record):
    """What an earlier session left behind."""

    session: int
    summary: str
    homework: str


def register_name(register: str) -> str:
    """What the author is told that a register is called: our own word, or the name of a practice."""
    return register if register in REGISTERS else named_practice(register).practice


def instruction_of(register: str) -> str:
    """How the therapist talks in a register, in words."""
    return REGISTERS[register] if register in REGISTERS else named_practice(register).instruction


def author_messages(
    persona: Persona, course: Course, number: int, register: str, before: Sequence[Before]
) -> tuple[ChatMessage, ...]:
    """The messages that ask for session `number` (from 1) of a persona's course."""
    plan = {"number": number, "of": len(course.sessions), **course.sessions[number - 1].model_dump(mode="json")}
    brief = {
        "register": register_name(register),
        "patient": persona.model_dump(mode="json"),
        "session": plan,
        "before": [one.model_dump(mode="json") for one in before],
    }
    return (
        ChatMessage("system", AUTHOR_SYSTEM.format(register=instruction_of(register))),
        ChatMessage("user", json.dumps(brief, ensure_ascii=False)),
    )
