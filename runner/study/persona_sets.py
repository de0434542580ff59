"""Persona sets of one study: nobody is both trained on and evaluated with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cbtrun.contract.digests import digest
from cbtrun.contract.records import Persona
from cbtrun.errors import StageError

if TYPE_CHECKING:
    from cbtrun.contexts import StageInputs


def content_digest(persona: Persona) -> str:
    """Digest of all that a persona is, its id left out."""
    return digest(persona.model_dump(mode="json", exclude={"id"}))


def shared_personas(one: Sequence[Persona], other: Sequence[Persona]) -> list[str]:
    """Pairs "id = id" of personas that two sets share: equal in all but the id. Empty when the sets are disjoint."""
    known = {content_digest(persona): persona.id for persona in one}
    return [f"{known[key]} = {persona.id}" for persona in other if (key := content_digest(persona)) in known]


def training_sets(study: Mapping[str, Any]) -> set[str]:
    """Names of the persona sets that corpora are written for."""
    named = [block.get("personas") for block in (study.get("corpus") or {}).values()]
    return {name for name in study.get("personas") or {} if name in named}


def check_disjoint(study: Mapping[str, Any], inputs: StageInputs) -> None:
    """Refuse evaluation personas that a corpus was written for too. Raises StageError naming them."""
    evaluation = (study.get("sessions") or {}).get("personas")
    if not isinstance(evaluation, str) or evaluation not in (study.get("personas") or {}):
        return
    for training in sorted(training_sets(study)):
        shared = shared_personas(inputs.personas(training), inputs.personas(evaluation))
        if shared:
            shown = ", ".join(shared[:5]) + (f" and {len(shared) - 5} more" if len(shared) > 5 else "")
            raise StageError(f"persona sets '{training}' and '{evaluation}' share {len(shared)}: {shown}")
