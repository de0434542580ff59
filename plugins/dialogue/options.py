"""Options of the `dialogue` plugin: the protocol of a simulated session."""

from __future__ import annotations

from cbtrun.plugin import Json
from cbtrun.plugins.dialogue.checks import options_with
from cbtrun.plugins.dialogue.notes import CLOSING
from cbtrun.plugins.dialogue.prompts import PATIENT_SYSTEM
from cbtrun.plugins.dialogue.therapist_prompt import THERAPIST_SYSTEM


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
            "x-rehearsal": {"most": 6},
            "description": "Most turns of a session, both speakers together.",
        },
        "repeats": {
            "type": "integer",
            "minimum": 1,
            "default": 1,
            "x-rehearsal": {"most": 1},
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
            "properties": {
                "therapist": {**_tokens_a_turn(96), "x-rehearsal": {"most": 24}},
                "patient": _tokens_a_turn(160),
                "session": {
                    "type": "integer",
                    "minimum": 1,
                    "description": "Most tokens that both sides speak in a session; it ends after the turn that reaches it.",
                },
            },
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
                    "x-rehearsal": {"most": 900},
                    "description": "Most tokens of a prompt; without it the model's own limit holds, and fails.",
                },
                "policy": {
                    "enum": ["fail", "drop-oldest", "summarise"],
                    "default": "fail",
                    "description": "`drop-oldest` leaves out the first turns; `summarise` has the speaker's own model sum them "
                    "up, and shows that instead. How many were left out, and from which turn on, is flagged.",
                },
            },
        },
        "system": {
            "type": "string",
            "default": THERAPIST_SYSTEM,
            "description": "The therapist's system prompt, a Jinja template (max_turns, session_number, sessions, before); "
            "an arm may have its own. In a course, what earlier sessions left is added where the template lacks `before`.",
        },
        "patient_system": {
            "type": "string",
            "default": PATIENT_SYSTEM,
            "description": "The patient's system prompt, a Jinja template (persona, persona_json, and as for `system`).",
        },
        "reminder": {
            "anyOf": [{"type": "boolean"}, {"type": "string", "minLength": 1}],
            "default": True,
            "description": "Note to the patient before each of its turns, against drift: ours, none, or a template of your "
            "own (as patient_system). An arm may have its own, so that its effect can be measured.",
        },
        "closing": {
            "type": "object",
            "additionalProperties": False,
            "description": "A closing ritual: near the limit of turns the therapist is told to close. Without it, it is not.",
            "properties": {
                "turns": {
                    "type": "integer",
                    "minimum": 1,
                    "default": 6,
                    "description": "From how many turns before the limit on, both speakers together.",
                },
                "note": {"type": "string", "minLength": 1, "default": CLOSING, "description": "What it is told."},
            },
        },
        "sessions": {
            "type": "integer",
            "minimum": 1,
            "default": 1,
            "x-rehearsal": {"most": 2},
            "description": "Sessions of each course: one persona with one therapist, each told what the last ones left.",
        },
        "carry": {
            "type": "object",
            "additionalProperties": False,
            "default": {},
            "description": "What a session of a course leaves to the next.",
            "properties": {
                "summary": {
                    "enum": ["program", "therapist", "none"],
                    "default": "program",
                    "description": "Who sums it up: a program from what was said, or the therapist's own model.",
                },
                "homework": {
                    "type": "boolean",
                    "default": True,
                    "description": "Whether both are told the homework that the therapist set.",
                },
                "last_turns": {
                    "type": "integer",
                    "minimum": 0,
                    "default": 0,
                    "description": "How many of its last turns are shown word for word.",
                },
                "most": {
                    "type": "integer",
                    "minimum": 1,
                    "default": 3,
                    "description": "How many of the last sessions are told of.",
                },
            },
        },
        "phq9": {
            "type": "boolean",
            "description": "Whether the patient fills in a PHQ-9 before each session; without it, where a course has "
            "several sessions.",
        },
        **options_with(True),
        "arms_at_once": {
            "type": "integer",
            "minimum": 1,
            "x-rehearsal": {"most": 1, "always": True},
            "description": "Most arms under way at a time; 1 for local models that fill the memory. Without it, all.",
        },
    },
}
