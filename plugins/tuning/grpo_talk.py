"""How the sessions of a training are held: as the study's own, as far as one sequence of tokens can hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import with_defaults
from cbtrun.plugins.dialogue.options import SCHEMA

if TYPE_CHECKING:
    from cbtrun.plugin import StudyView

OWN = ("patient", "personas", "max_turns", "system", "patient_system")
ALONE = {"sessions": 1, "repeats": 1, "phq9": False}
"""One session with each, by itself."""


def dialogue_options(study: StudyView, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the dialogue: those under `sessions` where that block simulates any, with the training's own.

    What would change the words that came before is left out: a closing note to the therapist, and turns that are dropped or
    summed up once a session is long.
    """
    block = dict(study["sessions"]) if study.sessions.using == "dialogue" else {}
    block = {
        key: value for key, value in block.items() if key in SCHEMA["properties"] and key not in ("closing", "context")
    }
    block |= {name: options[name] for name in OWN if options.get(name) is not None}
    block["max_tokens"] = {**block.get("max_tokens", {}), **(options.get("max_tokens") or {})}
    filled: dict[str, Any] = with_defaults({**block, **ALONE}, SCHEMA)
    return filled
