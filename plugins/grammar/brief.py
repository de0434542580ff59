"""What an author is asked for: the patient, the session's plan and what happened before, out of the messages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from cbtrun.plugin import FullPersona, ModelError, Record, Request


class SessionPlan(Record):
    """One session of a course, as its author is told."""

    number: int
    """From 1."""
    of: int
    """Sessions in the course."""
    phase: str
    aims: tuple[str, ...]
    techniques: tuple[str, ...]


class EarlierSession(Record):
    """What an earlier session of the same patient left behind."""

    session: int
    summary: str
    homework: str = ""


class Brief(Record):
    """The whole request for one session."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    register_: str
    """`cbt`, `supportive`, `shuffled`, or the name of a practice."""
    patient: FullPersona
    session: SessionPlan
    before: tuple[EarlierSession, ...] = ()


@dataclass(frozen=True)
class Written:
    """What an author gives back."""

    turns: tuple[tuple[str, str], ...]
    """(therapist or patient, words), therapist first."""
    summary: str
    homework: str = ""

    def as_json(self) -> str:
        """The answer as the corpus plugin expects it."""
        messages = [{"role": role, "content": words} for role, words in self.turns]
        return json.dumps(
            {"messages": messages, "summary": self.summary, "homework": self.homework}, ensure_ascii=False
        )


def read_brief(request: Request) -> Brief:
    """The brief in the first user message. Raises ModelError when there is none."""
    for message in request.messages:
        if message.role == "user":
            try:
                return parse_brief(json.loads(message.content))
            except (ValueError, ValidationError, TypeError, KeyError) as error:
                raise ModelError(
                    "the grammar writes sessions only: its user message must be a JSON object with register, patient, "
                    f"session and before ({_first_line(error)})"
                ) from error
    raise ModelError("the grammar writes sessions only: there is no user message")


def parse_brief(value: Mapping[str, Any]) -> Brief:
    """A brief from its JSON. Raises pydantic's ValidationError or KeyError."""
    fields = dict(value)
    return TypeAdapter(Brief).validate_python({**fields, "register_": fields.pop("register")})


@dataclass(frozen=True)
class Memory:
    """What the last session left, as far as its summary says it in the grammar's own form."""

    slots: Mapping[str, str]
    homework: str


def remember(brief: Brief) -> Memory:
    """Mood, thought and view of the last session, where they can be found, and its homework."""
    if not brief.before:
        return Memory({}, "")
    last = brief.before[-1]
    forms = {
        "lastmood": r"\bmood (?:was )?(\d+)\b",
        "lastthought": r"\bthought:? \"([^\"]+)\"",
        "lastalternative": r"\bview:? \"([^\"]+)\"",
    }
    found = {name: re.search(form, last.summary, re.IGNORECASE) for name, form in forms.items()}
    return Memory({name: hit[1] for name, hit in found.items() if hit}, last.homework.rstrip("."))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
