"""What the sessions of a study would take: every session at its full length, every turn as long as a plan takes it to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cbtrun.plugin import TURN_TOKENS, Plan, PlanContext, PlannedCalls

SYSTEM_TOKENS = {"therapist": 200, "patient": 1000}
"""Tokens of the system prompts; the patient's holds a persona."""


def planned_sessions(context: PlanContext) -> Plan:
    """Units and calls by model."""
    options, jobs = context.options, context.study.tune_jobs
    patients = context.units(f"personas.{options['personas']}")
    opened = _opened(options)
    calls: Counter[str] = Counter()
    tokens_in: Counter[str] = Counter()
    units = 0
    for arm in context.study.arms.values():
        seeds = len(jobs[arm.therapist].seeds) if arm.therapist in jobs else 1
        sessions = patients * options["repeats"] * seeds
        units += sessions
        models = {"therapist": arm.therapist, "patient": arm.patient or options["patient"]}
        for one in planned_session(options, models, sessions):
            calls[one.model] += one.calls
            tokens_in[one.model] += one.tokens_in
    planned = tuple(PlannedCalls(name, calls[name], tokens_in[name], calls[name] * TURN_TOKENS) for name in calls)
    told = f"every session has {options['max_turns']} turns of {TURN_TOKENS} tokens; system prompts have "
    told += ", ".join(f"{count:,} ({who})" for who, count in SYSTEM_TOKENS.items())
    return Plan(units, planned, (told,), in_a_row=max(1, options["max_turns"] - opened))


def planned_session(options: Mapping[str, Any], models: Mapping[str, str], sessions: int) -> Iterator[PlannedCalls]:
    """The calls of so many sessions at their full length, turn by turn. models: speaker -> name."""
    opens = options["opens"]
    for turn in range(_opened(options), options["max_turns"]):
        speaker = opens if turn % 2 == 0 else "patient" if opens == "therapist" else "therapist"
        read = sessions * (SYSTEM_TOKENS[speaker] + turn * TURN_TOKENS)
        yield PlannedCalls(models[speaker], sessions, read, sessions * TURN_TOKENS)


def _opened(options: Mapping[str, Any]) -> int:
    return 1 if options.get("opening") else 0
