"""Who needs every structured field of a persona is told of those that lack some before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cbtrun.plugin import CbtrunError, FullPersona, Persona, Problem

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext

TOLD = 5
"""Personas that are named one by one."""


def lacking_fields(persona: Persona) -> list[str]:
    """Fields that a persona lacks for whoever plays it without a language model; empty where it has all."""
    needed = [name for name, field in FullPersona.model_fields.items() if field.is_required()]
    missing = [name for name in needed if name not in persona.model_fields_set or getattr(persona, name) is None]
    return missing if persona.situations else list(dict.fromkeys([*missing, "situations"]))


def whole_person_problems(context: BlockContext, personas: str, who: str, *path: str) -> Iterator[Problem]:
    """One problem where a set that is read from a file has personas that `who` cannot play.

    Sets that are yet to be drawn or written have every field.
    """
    from cbtrun.plugins.personas.files import personas_of

    block = context.study.personas.get(personas)
    options = block.options if block else {}
    if block is None or block.using != "files" or not isinstance(options.get("path"), str):
        return
    try:
        read = personas_of(options, context.folder)
    except (CbtrunError, OSError):
        return  # whoever reads the set says what is wrong with it
    lacking = {one.id: lacks for one in read if (lacks := lacking_fields(one))}
    if lacking:
        told = [f"'{id_}' lacks {', '.join(names)}" for id_, names in list(lacking.items())[:TOLD]]
        more = [f"and {len(lacking) - TOLD} more"] if len(lacking) > TOLD else []
        what = (
            f"{who} needs every structured field of a persona, with at least one situation; of set '{personas}' "
            f"{'; '.join([*told, *more])}. A persona of `id` and `text` is for a patient that is a language model"
        )
        yield context.problem(what, *path)
