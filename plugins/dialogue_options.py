"""Options of the `dialogue` plugin: the protocol of a simulated session."""

from __future__ import annotations

from cbtrun.plugins.dialogue_prompts import PATIENT_SYSTEM
from cbtrun.plugins.therapist_prompt import THERAPIST_SYSTEM
from cbtrun.records import Json


def _tokens_a_turn(default: int) -> Json:
    return {"type": "integer", "minimum": 1, "default": default, "description": "Most tokens of one of its turns."}


SCHEMA: Json = {
    "type": "object",
    "required": ["patient", "personas"],
    "additionalProperties": False,
    "properties": {
        "patient": {
            "type": "string",
            "x-names": "models",
            "description": "The model that plays the patient; an arm may name its own.",
        },
        "personas": {"type": "string", "x-names": "personas", "description": "The patients, one session each."},
        "max_turns": {
            "type": "integer",
            "minimum": 1,
            "default": 24,
            "description": "Most turns of a session, both speakers together.",
        },
        "repeats": {
            "type": "integer",
            "minimum": 1,
            "default": 1,
            "description": "Sessions of each arm with each persona.",
        },
        "opens": {"enum": ["therapist", "patient"], "default": "therapist", "description": "Who speaks first."},
        "opening": {
            "type": "string",
            "description": "Fixed first words of whoever opens; without them the model finds its own.",
        },
        "max_tokens": {
            "type": "object",
            "additionalProperties": False,
            "default": {},
            "description": "Most tokens of a turn.",
            "properties": {"therapist": _tokens_a_turn(96), "patient": _tokens_a_turn(160)},
        },
        "stop": {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "default": [],
            "description": "Strings that end a turn, on either side.",
        },
        "end_markers": {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "default": ["[END]"],
            "description": "Strings by which either side ends the session; they are cut from the turn.",
        },
        "farewell": {
            "type": "boolean",
            "default": True,
            "description": "Whether the session ends when both sides have taken leave of each other.",
        },
        "context": {
            "type": "object",
            "additionalProperties": False,
            "default": {},
            "description": "What to do when a session outgrows what a model may be shown.",
            "properties": {
                "max_tokens": {
                    "type": "integer",
                    "minimum": 1,
                    "description": "Most tokens of a prompt; without it the model's own limit holds, and fails.",
                },
                "policy": {
                    "enum": ["fail", "drop-oldest"],
                    "default": "fail",
                    "description": "`drop-oldest` leaves out the first turns and flags the session.",
                },
            },
        },
        "system": {
            "type": "string",
            "default": THERAPIST_SYSTEM,
            "description": "The therapist's system prompt, a Jinja template (max_turns); an arm may have its own.",
        },
        "patient_system": {
            "type": "string",
            "default": PATIENT_SYSTEM,
            "description": "The patient's system prompt, a Jinja template (persona, persona_json, max_turns).",
        },
        "arms_at_once": {
            "type": "integer",
            "minimum": 1,
            "description": "Most arms under way at a time; 1 for local models that fill the memory. Without it, all.",
        },
    },
}
