"""Personas written by a model, one call each, held to the schema and to a brief that is drawn for each.

Persona number n depends on the seed, the set's name and n, and on those before it only where it would repeat one: a
higher count keeps the earlier ones.
"""

from __future__ import annotations

import json
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    ChatMessage,
    Draw,
    FullPersona,
    Request,
    StageError,
    content_digest,
    derive_seed,
    digest,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cbtrun.plugin import Answer, Calls, Json, StageContext

TRIES = 3  # answers of one call that may break the schema or the brief
AGAIN = 4  # calls for a persona that repeats an earlier one

OURS = ("id", "text")  # fields that no author is asked for

SYSTEM = """\
You invent simulated patients for research on psychotherapy. Each is one person with a life of their own: no clichés, no
celebrities, nobody real. Everything they say of themselves is in the first person and in everyday words.
The user message is a JSON object: `about` (what the patients have in common) and `brief` (what this one must be).
Answer with one JSON object with these keys and nothing else:
{keys}"""


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: written` under `personas`."""
    if stage != "personas":
        return None
    return {
        "type": "object",
        "required": ["author", "count"],
        "additionalProperties": False,
        "properties": {
            "author": {"type": "string", "x-names": "models", "description": "The model that writes them."},
            "count": {
                "type": "integer",
                "minimum": 1,
                "maximum": 10000,
                "x-rehearsal": {"most": 6},
                "description": "How many personas.",
            },
            "about": {
                "type": "string",
                "minLength": 1,
                "default": "adults with depression who come to outpatient therapy",
                "description": "What the patients have in common, in words for the author.",
            },
            "risk": {
                "type": "array",
                "items": {"enum": ["none", "passive-ideation", "active-ideation"]},
                "minItems": 1,
                "default": ["none"],
                "description": "Levels of suicide risk to draw from.",
            },
            "max_tokens": {
                "type": "integer",
                "minimum": 1,
                "default": 1500,
                "description": "Most tokens of one persona.",
            },
        },
    }


@hookimpl
def make_personas(context: StageContext) -> list[FullPersona]:
    """The personas, numbered from 1."""
    return context.run(_write_all(context))


async def _write_all(context: StageContext) -> list[FullPersona]:
    numbers = list(range(1, context.options["count"] + 1))
    async with context.model(context.options["author"]) as calls:

        async def write(number: int) -> FullPersona:
            return await _written(calls, context, number, 0)

        first = await context.each(numbers, write, name=lambda number: f"{context.name}-{number:03d}")
        personas: list[FullPersona] = []
        for number, persona in zip(numbers, first, strict=True):
            if persona is not None:
                personas.append(await _unlike(calls, context, number, persona, personas))
    return personas


async def _unlike(
    calls: Calls, context: StageContext, number: int, persona: FullPersona, earlier: Sequence[FullPersona]
) -> FullPersona:
    """The persona, or a new one in its place while it repeats an earlier one. Raises StageError when it always does."""
    for again in range(1, AGAIN + 1):
        if not repeats(persona, earlier):
            return persona
        persona = await _written(calls, context, number, again)
    raise StageError(f"personas.{context.name}: the author gives no persona number {number} unlike the others")


def repeats(persona: FullPersona, earlier: Sequence[FullPersona]) -> bool:
    """Whether it is an earlier persona again: all the same, the same problem, or name, age and work together."""
    return any(
        content_digest(one) == content_digest(persona)
        or one.presenting_problem.casefold() == persona.presenting_problem.casefold()
        or (one.name, one.age, one.occupation.casefold()) == (persona.name, persona.age, persona.occupation.casefold())
        for one in earlier
    )


async def _written(calls: Calls, context: StageContext, number: int, again: int) -> FullPersona:
    from cbtrun.plugin import ask

    wanted = draw_brief(context.options, derive_seed("written persona", context.seed, context.name, number, again))
    about = {"about": context.options["about"], "brief": wanted}
    messages = (
        ChatMessage("system", SYSTEM.format(keys=_keys())),
        ChatMessage("user", json.dumps(about, ensure_ascii=False)),
    )
    draw = Draw("author", digest([context.name, number]), turn=number, item=f"again {again}" if again else "")
    request = Request(messages, draw, max_tokens=context.options["max_tokens"])
    answered = await ask(calls, request, written_persona(), tries=TRIES, context=wanted)
    if answered.value is None:
        raise StageError(f"the author gave no persona that can be used: {answered.reason}")
    return FullPersona.model_validate({"id": f"{context.name}-{number:03d}", **answered.value.model_dump()})


def draw_brief(options: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What one persona must be: an age, a PHQ-9, styles and risk, drawn so that a set is balanced."""
    rng = Random(seed)
    low, high = rng.choice(((18, 29), (30, 44), (45, 59), (60, 85)))
    return {
        "age": rng.randint(low, high),
        "gender": rng.choice(("woman", "man")) if rng.random() < 0.95 else "non-binary person",
        "phq9": rng.choice((rng.randint(6, 9), rng.randint(10, 14), rng.randint(15, 19), rng.randint(20, 24))),
        "engagement_style": rng.choice(("open", "guarded", "overtalkative", "compliant", "sceptical", "withdrawn")),
        "disclosure_style": rng.choice(("immediate", "gradual", "reluctant")),
        "risk": rng.choice(options["risk"]),
    }


@lru_cache(maxsize=1)
def written_persona() -> type[Answer]:
    """The answer: a persona without its id, that keeps to its brief."""
    from pydantic import ConfigDict, ValidationInfo, create_model, model_validator

    from cbtrun.plugin import Answer

    class Briefed(Answer):
        model_config = ConfigDict(frozen=True, extra="forbid")

        @model_validator(mode="after")
        def _keeps_to_the_brief(self, info: ValidationInfo) -> Briefed:
            for name, wanted in (info.context or {}).items():
                if getattr(self, name) != wanted:
                    raise ValueError(f"{name} must be {wanted!r}, as the brief says")
            for name in ("symptoms", "situations", "automatic_thoughts", "core_beliefs", "goals"):
                if not getattr(self, name):
                    raise ValueError(f"{name} must not be empty")
            return self

    fields: dict[str, Any] = {
        name: (one.annotation, one) for name, one in FullPersona.model_fields.items() if name not in OURS
    }
    return create_model("WrittenPersona", __base__=Briefed, **fields)


@lru_cache(maxsize=1)
def _keys() -> str:
    from cbtrun.plugin import record_schema

    properties = record_schema(FullPersona)["properties"]
    return "\n".join(
        f"- {name}: {part.get('description', '')}" for name, part in properties.items() if name not in OURS
    )
