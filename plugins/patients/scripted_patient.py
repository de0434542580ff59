"""A patient without a language model: answers what the therapist said, from its persona's own material.

Its state is computed from the messages alone, so a session can be replayed from any turn. It gives a good listener
more than a bad one, and does not know what a rubric asks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import ChatMessage, Model, ModelContext, ModelError, Reply, Request, hookimpl
from cbtrun.plugins.dialogue.notes import without_note
from cbtrun.plugins.personas.whole_persons import lacking_fields, whole_person_problems
from cbtrun.plugins.practices.checks import practice_problems
from cbtrun.plugins.practices.named import practice_option

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, FullPersona, Json, Problem
    from cbtrun.plugins.patients.manner import Manner
    from cbtrun.plugins.practices.practice import Practice


@hookimpl
def fingerprint_files() -> list[Path]:
    """The words that the patient speaks and understands decide its answers too."""
    plugins = Path(__file__).parents[1]
    folders = ("grammar/cbt", "grammar/plan", "grammar/supportive", "patients/ear", "patients/words")
    return [plugins / folder for folder in folders]


@hookimpl
def options_schema(stage: str) -> Json | None:
    """The practice whose questions it knows besides those of CBT, if any."""
    if stage != "models":
        return None
    practice = practice_option("A practice whose questions the patient understands and answers in its words.")
    return {
        "type": "object",
        "x-embedded": True,
        "x-elsewhere": "model",
        "properties": {"practice": practice},
        "additionalProperties": False,
    }


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """The practice must be there and make sense, and the personas that it plays have every field."""
    study = context.study
    players = {study.sessions.patient, *(study.patient_in(arm) for arm in study.arms)}
    personas = study.evaluation_set() if context.name in players else ""
    return [
        *practice_problems(context),
        *whole_person_problems(context, personas, f"the scripted patient `{context.name}`"),
    ]


@hookimpl
def open_model(context: ModelContext) -> Model:
    """The patient."""
    from cbtrun.plugins.practices.practice import named_practice

    name = context.options.get("practice")
    return ScriptedPatient(named_practice(name) if name else None)


@dataclass(frozen=True)
class ScriptedPatient:
    """Answers one turn for each request; `assistant` is the patient, `user` the therapist."""

    practice: Practice | None = None

    @property
    def identity(self) -> Mapping[str, Any]:
        """Version of the answers; raised when the same request would be answered otherwise."""
        own = {"practice": self.practice.digest} if self.practice else {}
        return {"model": "cbtrun:scripted-patient", "version": 2, **own}

    @cached_property
    def manner(self) -> Manner:
        """How it hears and speaks."""
        from cbtrun.plugins.patients.manner import manner_of

        return manner_of(self.practice)

    async def reply(self, request: Request) -> Reply:
        """The patient's next turn. Raises ModelError when the system message holds no persona."""
        from cbtrun.plugins.patients.answer import answer
        from cbtrun.plugins.patients.course import answer_phq9, read_course_state
        from cbtrun.plugins.patients.state import read_state

        persona = read_persona(request.messages)
        course = read_course_state(request.messages)
        therapist = [without_note(message.content) for message in request.messages if message.role == "user"]
        own = [message.content for message in request.messages if message.role == "assistant"]
        rng = Random(request.seed)
        if request.schema is not None and "PHQ-9" in " ".join(therapist):
            return _counted(answer_phq9(persona, course, rng), request)
        state = read_state(persona, therapist, own, request.draw.repeat, course, self.manner)
        text = answer(persona, state, rng)
        return _counted(text, request)

    async def close(self) -> None:
        """Nothing is held."""


def _counted(text: str, request: Request) -> Reply:
    words_in = sum(len(message.content.split()) for message in request.messages)
    return Reply(text, tokens_in=words_in, tokens_out=len(text.split()))


def read_persona(messages: Sequence[ChatMessage]) -> FullPersona:
    """The persona that stands as JSON in the system message. Raises ModelError, for one that lacks fields too."""
    return _persona_in("\n".join(message.content for message in messages if message.role == "system"))


@lru_cache(maxsize=4096)
def _persona_in(system: str) -> FullPersona:
    """Read once for all turns of a session."""
    from pydantic import ValidationError

    from cbtrun.plugin import FullPersona, Persona

    start = system.find("{")
    while start >= 0:
        try:
            value, _ = json.JSONDecoder().raw_decode(system[start:])
            found = Persona.model_validate(value)
        except (ValueError, ValidationError):
            start = system.find("{", start + 1)
            continue
        if lacks := lacking_fields(found):
            raise ModelError(f"the scripted patient cannot play '{found.id}', who lacks {', '.join(lacks)}")
        return FullPersona.model_validate(value)
    raise ModelError(
        "the scripted patient finds no persona in its system message; `patient_system` must hold {{ persona_json }}"
    )
