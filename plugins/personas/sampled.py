"""Personas drawn from weighted attributes with constraints: the same seed and set give the same people.

Persona number n depends on the seed, the set's name and n alone, so a higher count keeps the earlier ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.plugin import (
    FullPersona,
    Persona,
    Plan,
    PlanContext,
    RecordList,
    SpecError,
    StageError,
    content_digest,
    derive_seed,
    hookimpl,
)
from cbtrun.plugins.personas.attributes import attributes_path, read_attributes, shipped_attributes
from cbtrun.plugins.personas.draw import draw_persona

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, Problem, StageContext
    from cbtrun.plugins.personas.attributes import Attributes

MAX_TRIES = 200  # for one persona; reached only when the attributes allow fewer people than were asked for


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: sampled` under `personas`."""
    if stage != "personas":
        return None
    attributes = (
        f"Attributes to draw from: the name of a shipped file ({', '.join(shipped_attributes())}) or the path of "
        "your own (.yaml)."
    )
    return {
        "type": "object",
        "required": ["attributes", "count"],
        "properties": {
            "attributes": {
                "type": "string",
                "x-names": ["shipped", "file"],
                "x-words": False,
                "examples": shipped_attributes(),
                "description": attributes,
            },
            "count": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100000,
                "x-rehearsal": {"most": 6},
                "description": "How many personas.",
            },
            "seed": {
                "type": "integer",
                "minimum": 0,
                "description": "Seed of this set alone; without it the study's seed and the set's name decide.",
            },
            "disjoint_from": {
                "type": "array",
                "items": {"type": "string", "x-names": "personas"},
                "description": "Sets whose personas must not come again; drawn after them.",
            },
        },
        "additionalProperties": False,
    }


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """The attributes file must be there and make sense."""
    path = attributes_path(context.options["attributes"], context.folder)
    if path is None:
        what = f"no attributes '{context.options['attributes']}'; shipped: {', '.join(shipped_attributes())}"
        return [context.problem(what, "attributes")]
    try:
        read_attributes(path)
    except SpecError as error:
        return list(error.problems)
    return []


@hookimpl
def plan_block(context: PlanContext) -> Plan | None:
    """As many personas as the block asks for; no model is called."""
    return Plan(units=int(context.options["count"])) if context.stage == "personas" else None


@hookimpl
def make_personas(context: StageContext) -> Sequence[FullPersona]:
    """The first `count` personas of the set."""
    options = context.options
    path = attributes_path(options["attributes"], Path.cwd())
    if path is None:
        raise StageError(f"personas.{context.name}: no attributes '{options['attributes']}'")
    seed = options["seed"] if options.get("seed") is not None else context.seed
    taken = (persona for name in options.get("disjoint_from", ()) for persona in context.personas(name))
    drawn = _drawn(read_attributes(path), options["count"], seed, context.name, taken)
    return RecordList.of(FullPersona, drawn)


def draw_personas(
    attributes: Attributes, count: int, seed: int, set_name: str, taken: Iterable[Persona] = ()
) -> list[FullPersona]:
    """`count` different personas, none of them equal to a taken one apart from its id.

    Raises StageError when the attributes do not allow so many.
    """
    return list(_drawn(attributes, count, seed, set_name, taken))


def _drawn(
    attributes: Attributes, count: int, seed: int, set_name: str, taken: Iterable[Persona]
) -> Iterator[FullPersona]:
    seen = {content_digest(persona) for persona in taken}
    for number in range(1, count + 1):
        yield _next_persona(attributes, seed, set_name, number, seen)


def _next_persona(attributes: Attributes, seed: int, set_name: str, number: int, seen: set[str]) -> FullPersona:
    """The persona of a number; its digest is added to those seen."""
    for attempt in range(MAX_TRIES):
        persona = draw_persona(
            attributes, f"{set_name}-{number:03d}", derive_seed("persona", seed, set_name, number, attempt)
        )
        content = content_digest(persona)
        if content not in seen:
            seen.add(content)
            return persona
    raise StageError(f"personas.{set_name}: the attributes allow no persona number {number} unlike the others")


def balance(personas: Sequence[Persona]) -> Mapping[str, Mapping[str, int]]:
    """How many personas have each level of each attribute: attribute -> level -> count, levels in order.

    What is not known of a persona is not counted; an attribute that is known of nobody is left out.
    """
    levels: dict[str, list[str | None]] = {
        "gender": [persona.gender for persona in personas],
        "age": [None if persona.age is None else age_band(persona.age) for persona in personas],
        "severity": [None if persona.phq9 is None else severity_band(persona.phq9) for persona in personas],
        "engagement_style": [persona.engagement_style for persona in personas],
        "disclosure_style": [persona.disclosure_style for persona in personas],
        "risk": [persona.risk for persona in personas],
        "speech": [persona.speech for persona in personas],
    }
    for label in dict.fromkeys(name for persona in personas for name in persona.labels):
        levels.setdefault(label, [persona.labels.get(label) for persona in personas])
    known = {attribute: [level for level in values if level] for attribute, values in levels.items()}
    return {attribute: dict(sorted(Counter(values).items())) for attribute, values in known.items() if values}


def age_band(age: int) -> str:
    """The decade or so that a balance table counts an age in."""
    return next(
        band for band, below in (("under 25", 25), ("25-39", 40), ("40-59", 60), ("60 and over", 999)) if age < below
    )


def severity_band(phq9: int) -> str:
    """The band of a PHQ-9 total. Source: Kroenke, Spitzer and Williams 2001."""
    bands = (("0 minimal", 5), ("1 mild", 10), ("2 moderate", 15), ("3 moderately severe", 20), ("4 severe", 28))
    return next(band for band, below in bands if phq9 < below)
