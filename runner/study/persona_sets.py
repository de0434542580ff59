"""Persona sets of one study: nobody is both trained on and evaluated with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cbtrun.contract.digests import digest
from cbtrun.contract.records import Persona
from cbtrun.errors import StageError

if TYPE_CHECKING:
    from cbtrun.contexts import StageInputs
    from cbtrun.contract.study_view import StudyView


def content_digest(persona: Persona) -> str:
    """Digest of all that a persona is, its id left out."""
    return digest(persona.model_dump(mode="json", exclude={"id"}))


def shared_personas(one: Sequence[Persona], other: Sequence[Persona]) -> list[str]:
    """Pairs "id = id" of personas that two sets share: equal in all but the id. Empty when the sets are disjoint."""
    known = {content_digest(persona): persona.id for persona in one}
    return [f"{known[key]} = {persona.id}" for persona in other if (key := content_digest(persona)) in known]


def check_disjoint(study: StudyView, inputs: StageInputs) -> None:
    """Refuse evaluation personas that a corpus was written for too. Raises StageError naming them."""
    evaluation = study.evaluation_set()
    if not evaluation:
        return
    for training in sorted(study.training_sets()):
        shared = shared_personas(inputs.personas(training), inputs.personas(evaluation))
        if shared:
            shown = ", ".join(shared[:5]) + (f" and {len(shared) - 5} more" if len(shared) > 5 else "")
            raise StageError(f"persona sets '{training}' and '{evaluation}' share {len(shared)}: {shown}")
