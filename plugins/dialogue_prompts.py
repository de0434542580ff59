"""What each side of a simulated session is told and sees: system prompts from templates, and the turns so far."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

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

THERAPIST_VARIABLES = frozenset({"max_turns"})
PATIENT_VARIABLES = frozenset({"persona", "persona_json", "max_turns"})


def template_faults(template: str, allowed: frozenset[str]) -> list[str]:
    """What is wrong with a template: its syntax, or variables that it cannot have."""
    from jinja2 import TemplateSyntaxError, meta

    try:
        used = meta.find_undeclared_variables(_environment().parse(template))
    except TemplateSyntaxError as error:
        return [f"line {error.lineno} of the template: {error.message}"]
    known = ", ".join(sorted(allowed))
    return [f"unknown variable '{name}' in the template; there are: {known}" for name in sorted(used - allowed)]


def therapist_system(template: str, max_turns: int) -> str:
    """The therapist's instruction. It knows nothing of the persona: a therapist meets a stranger."""
    return _compiled(template).render(max_turns=max_turns).strip()


def patient_system(template: str, persona: Persona, max_turns: int) -> str:
    """The patient's instruction, with the persona as `persona.name` and so on, or whole as `persona_json`."""
    variables = {"persona": persona, "persona_json": persona.model_dump_json(), "max_turns": max_turns}
    return _compiled(template).render(**variables).strip()


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
