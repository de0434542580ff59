"""What a session is checked for when it is over: fidelity, crisis, and the study's own rules of exclusion.

An excluded session stays in sessions.jsonl and in every analysis; its flag `excluded: RULE` lets an analysis leave it
out by `exclude_flags: [excluded]`, and the report counts it by arm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cbtrun.plugin import Json, Session
from cbtrun.plugins.crisis.risk_check import crisis_flags
from cbtrun.plugins.fidelity.checks import NAMES, fidelity_flags
from cbtrun.plugins.fidelity.finding import Case

OWN_FLAGS = ("crisis", "cut_turns", "dropped_context", "summarised_context", "phq9_missing")
"""Flags besides those of the fidelity checks."""

FLAG_NAMES = sorted({*NAMES, *OWN_FLAGS})

CHECK_OPTIONS: Json = {
    "fidelity": {
        "anyOf": [{"type": "boolean"}, {"type": "array", "items": {"enum": [*NAMES]}, "uniqueItems": True}],
        "description": "Fidelity checks of every session, by program: all, none, or those named. What they find is "
        "flagged on the session: " + "; ".join(f"{name}, {check.threshold}" for name, check in NAMES.items()) + ".",
    },
    "crisis": {
        "type": "boolean",
        "description": "Whether every patient turn is checked for signs of a crisis; found ones are flagged with the turn.",
    },
    "exclude": {
        "type": "array",
        "default": [],
        "description": "Rules of exclusion. A session that one applies to is kept and flagged `excluded: RULE`; an analysis "
        "leaves it out only by `exclude_flags: [excluded]`, and the report counts exclusions by arm.",
        "items": {
            "anyOf": [
                {"enum": FLAG_NAMES, "description": "A flag on what the patient did."},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["flag"],
                    "properties": {
                        "flag": {"enum": FLAG_NAMES, "description": "Name of a flag."},
                        "by": {
                            "enum": ["patient", "therapist", "either"],
                            "default": "patient",
                            "description": "Whose fault it must be.",
                        },
                    },
                },
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["fewer_turns_than"],
                    "properties": {
                        "fewer_turns_than": {
                            "type": "integer",
                            "minimum": 1,
                            "description": "Turns a session must have.",
                        }
                    },
                },
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["ended"],
                    "properties": {
                        "ended": {"type": "string", "description": "Why the session ended, e.g. `empty_turn`."}
                    },
                },
            ]
        },
    },
}


def options_with(defaults: bool) -> Json:
    """The options of the checks. defaults: whether fidelity and crisis are checked when the study does not say."""
    given = {"fidelity": {"default": defaults}, "crisis": {"default": defaults}}
    return {name: {**option, **given.get(name, {})} for name, option in CHECK_OPTIONS.items()}


def checked(session: Session, case: Case, options: Mapping[str, Any]) -> Session:
    """The session with the flags of its checks and of the rules that exclude it."""
    wanted = options.get("fidelity", False)
    names = set(NAMES) if wanted is True else set(wanted or ())
    flags = [flag for flag in (fidelity_flags(case) if names else ()) if flag.split(":")[0] in names]
    kept = [flag for flag in session.flags if not any(flag.split(",")[0] == one.split(",")[0] for one in flags)]
    crisis = crisis_flags(session.turns) if options.get("crisis") else ()
    whole = session.model_copy(update={"flags": (*kept, *flags, *crisis)})
    rules = excluding_rules(whole, options.get("exclude", ()))
    return whole.model_copy(update={"flags": (*whole.flags, *(f"excluded: {rule}" for rule in rules))})


def excluding_rules(session: Session, rules: Sequence[str | Mapping[str, Any]]) -> list[str]:
    """The rules that exclude a session, in words, in the study's order."""
    return [words for rule in rules if (words := _applies(session, rule))]


def _applies(session: Session, rule: str | Mapping[str, Any]) -> str:
    """The rule in words if it applies, else nothing."""
    if isinstance(rule, str):
        rule = {"flag": rule}
    if "flag" in rule:
        by = rule.get("by", "patient")
        return f"{rule['flag']} by {by}" if any(_matches(flag, rule["flag"], by) for flag in session.flags) else ""
    if "fewer_turns_than" in rule:
        few = len(session.turns) < rule["fewer_turns_than"]
        return f"fewer than {rule['fewer_turns_than']} turns" if few else ""
    return f"ended by {rule['ended']}" if session.ended == rule["ended"] else ""


def _matches(flag: str, name: str, by: str) -> bool:
    """Whether a flag has this name and this speaker; a flag that names no speaker belongs to both."""
    kind, _, detail = flag.partition(": ")
    speaker = detail.split(" ", 1)[0] if detail else ""
    return kind == name and (by == "either" or speaker not in ("patient", "therapist") or speaker == by)
