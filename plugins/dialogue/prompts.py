"""What each side of a simulated session is told and sees: system prompts from templates, and the turns so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cbtrun.plugin import ChatMessage, Persona, Speaker, Turn, filled, used_variables

PATIENT_SYSTEM = """\
You are the patient described below, talking with your therapist. You are not a helper and not a clinician.
Speak as this person would: in the first person, in plain spoken words, one short turn at a time. Let things come out
at the pace of the disclosure style, keep to the facts of the description, and change slowly if at all. When the session
is over, say goodbye.

{{ persona_json }}"""


class Place(NamedTuple):
    """Which session of a course this is, and what the earlier ones left."""

    number: int = 1
    sessions: int = 1
    before: str = ""


def therapist_system(template: str, max_turns: int, place: Place = Place()) -> str:  # noqa: B008  # frozen
    """The therapist's instruction. It knows nothing of the persona: a therapist meets a stranger."""
    return _with_course(template, therapist_variables(max_turns, place))


def patient_system(template: str, persona: Persona, max_turns: int, place: Place = Place()) -> str:  # noqa: B008  # frozen
    """The patient's instruction, with the persona as `persona.name` and so on, or whole as `persona_json`."""
    return _with_course(template, patient_variables(persona, max_turns, place))


def reminder_text(template: str, persona: Persona, max_turns: int, place: Place) -> str:
    """The note against drift; empty without one."""
    return filled(template, patient_variables(persona, max_turns, place)) if template else ""


def therapist_variables(max_turns: int, place: Place) -> dict[str, Any]:
    """What a therapist's template sees: strings and numbers."""
    return {"max_turns": max_turns, "session_number": place.number, "sessions": place.sessions, "before": place.before}


def patient_variables(persona: Persona, max_turns: int, place: Place) -> dict[str, Any]:
    """What a patient's template sees: strings, numbers, lists and dicts, never the record, which has methods."""
    known = {**persona.model_dump(mode="json"), "name": persona.name or "this person"}  # a vignette may name nobody
    told = {"persona": known, "persona_json": persona.model_dump_json(exclude={"labels"})}
    return {**therapist_variables(max_turns, place), **told}


def _with_course(template: str, variables: Mapping[str, Any]) -> str:
    text = filled(template, variables)
    if not variables["before"] or "before" in used_variables(template):
        return text
    return f"{text}\n\n{variables['before']}"


def view(speaker: Speaker, system: str, turns: Sequence[Turn]) -> tuple[ChatMessage, ...]:
    """The session as a speaker's model sees it: its own turns are `assistant`, the other's `user`."""
    seen = [ChatMessage("assistant" if turn.speaker == speaker else "user", turn.text) for turn in turns]
    return (ChatMessage("system", system), *seen) if system else tuple(seen)
