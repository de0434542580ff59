"""What each side of a simulated session is told and sees: system prompts from templates, and the turns so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from cbtrun.models import ChatMessage
from cbtrun.records import Persona, Speaker, Turn

if TYPE_CHECKING:
    from jinja2 import Environment, Template

PATIENT_SYSTEM = """\
You are the patient described below, talking with your therapist. You are not a helper and not a clinician.
Speak as this person would: in the first person, in plain spoken words, one short turn at a time. Let things come out
at the pace of the disclosure style, keep to the facts of the description, and change slowly if at all. When the session
is over, say goodbye.

{{ persona_json }}"""

THERAPIST_VARIABLES = frozenset({"max_turns", "session_number", "sessions", "before"})
PATIENT_VARIABLES = THERAPIST_VARIABLES | {"persona", "persona_json"}


def template_faults(template: str, allowed: frozenset[str]) -> list[str]:
    """What is wrong with a template: its syntax, or variables that it cannot have."""
    if template == PATIENT_SYSTEM or "{" not in template:  # most studies: then Jinja need not be loaded
        return []
    from jinja2 import TemplateSyntaxError, meta

    try:
        used = meta.find_undeclared_variables(_environment().parse(template))
    except TemplateSyntaxError as error:
        return [f"line {error.lineno} of the template: {error.message}"]
    known = ", ".join(sorted(allowed))
    return [f"unknown variable '{name}' in the template; there are: {known}" for name in sorted(used - allowed)]


class Place(NamedTuple):
    """Which session of a course this is, and what the earlier ones left."""

    number: int = 1
    sessions: int = 1
    before: str = ""


def therapist_system(template: str, max_turns: int, place: Place = Place()) -> str:  # noqa: B008  # frozen
    """The therapist's instruction. It knows nothing of the persona: a therapist meets a stranger."""
    return _with_course(template, _course_variables(max_turns, place))


def patient_system(template: str, persona: Persona, max_turns: int, place: Place = Place()) -> str:  # noqa: B008  # frozen
    """The patient's instruction, with the persona as `persona.name` and so on, or whole as `persona_json`."""
    variables = {"persona": persona, "persona_json": persona.model_dump_json()}
    return _with_course(template, {**_course_variables(max_turns, place), **variables})


def reminder_text(template: str, persona: Persona, max_turns: int, place: Place) -> str:
    """The note against drift; empty without one."""
    variables = {"persona": persona, "persona_json": persona.model_dump_json()}
    return rendered(template, {**_course_variables(max_turns, place), **variables}) if template else ""


def _course_variables(max_turns: int, place: Place) -> dict[str, Any]:
    return {"max_turns": max_turns, "session_number": place.number, "sessions": place.sessions, "before": place.before}


def rendered(template: str, variables: Mapping[str, Any]) -> str:
    """A template filled in."""
    return _compiled(template).render(**variables).strip()


def _with_course(template: str, variables: Mapping[str, Any]) -> str:
    text = rendered(template, variables)
    return f"{text}\n\n{variables['before']}" if variables["before"] and "before" not in _used(template) else text


@lru_cache(maxsize=64)
def _used(template: str) -> frozenset[str]:
    from jinja2 import meta

    return frozenset(meta.find_undeclared_variables(_environment().parse(template)))


def view(speaker: Speaker, system: str, turns: Sequence[Turn]) -> tuple[ChatMessage, ...]:
    """The session as a speaker's model sees it: its own turns are `assistant`, the other's `user`."""
    seen = [ChatMessage("assistant" if turn.speaker == speaker else "user", turn.text) for turn in turns]
    return (ChatMessage("system", system), *seen) if system else tuple(seen)


@lru_cache(maxsize=64)
def _compiled(template: str) -> Template:
    return _environment().from_string(template)


def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=False)
