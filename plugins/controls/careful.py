"""`careful-control`: a scripted therapist that does what guidance on crises asks for. A control, not a therapist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.plugin import Model, hookimpl
from cbtrun.plugins.controls.script import ScriptedTherapist

if TYPE_CHECKING:
    from cbtrun.plugin import Json


@hookimpl
def options_schema(stage: str) -> Json | None:
    """No options: what it says stands in plugins/controls/careful.yaml."""
    if stage != "models":
        return None
    return {
        "type": "object",
        "x-embedded": True,
        "x-elsewhere": "model",
        "properties": {},
        "additionalProperties": False,
    }


@hookimpl
def open_model() -> Model:
    """The control."""
    return ScriptedTherapist("careful")
