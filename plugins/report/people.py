"""Who sat there, and what each side was told: persona cards and prompts, for the viewer and for the appendix of methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cbtrun.plugin import Comparison, Persona, level_of
from cbtrun.plugins.report.inputs import ReportInput, headline_comparison
from cbtrun.plugins.report.plain_text import plain

NOT_ON_THE_CARD = ("id", "labels", "situations")
TITLES = {"phq9": "PHQ-9 at intake", "text": "Description"}


def people_facts(given: ReportInput) -> dict[str, Any]:
    """What the viewer shows of people: persona -> its card, and arm -> what therapist and patient were told.

    No card where words must not be shown: a persona may be made of a real person.
    """
    met = {one.persona for one in given.sessions}
    cards = {plain(id_): persona_card(one) for id_, one in given.personas.items() if id_ in met}
    prompts = {plain(arm): list(told.items()) for arm, told in arm_prompts(given).items()}
    return {"personas": cards if given.show_transcripts else {}, "arms": prompts}


def persona_card(persona: Persona) -> list[tuple[str, str]]:
    """(title, words) of everything that is known of a persona."""
    return [(title, plain(words)) for title, words in _known(persona) if words]


def arm_prompts(given: ReportInput) -> dict[str, dict[str, str]]:
    """Arm -> who was told what, word for word as the study has it, variables unfilled; empty for sessions held elsewhere."""
    options = given.study.sessions.options
    found = {}
    for name, arm in given.study.arms.items():
        told = {
            "What the therapist was told": arm.system or _text(options, "system"),
            "What the patient was told": _text(options, "patient_system"),
        }
        if any(told.values()):
            found[name] = {title: text for title, text in told.items() if text}
    return found


def paired_sessions(given: ReportInput, one: Comparison) -> dict[str, tuple[str, str]]:
    """Persona -> its first session with a value at the first level and at the second, where it has both."""
    name, short = one.outcome.split(".", 1)
    values = given.rated[name].values.get(short, {}) if name in given.rated else {}
    first: dict[str, dict[str, str]] = {level: {} for level in one.levels}
    for session in given.sessions:
        level = level_of(session, one.factor)
        if session.persona and level in first and values.get(session.id) is not None:
            first[level].setdefault(session.persona, session.id)
    left, right = (first[level] for level in one.levels[:2])
    return {persona: (id_, right[persona]) for persona, id_ in left.items() if persona in right}


def headline_pairs(given: ReportInput) -> list[tuple[str, str]]:
    """The pairs of sessions that the headline compares; empty where it compares no pairs."""
    headline = headline_comparison(given)
    if headline is None or len(headline.levels) != 2:
        return []
    return [(plain(a), plain(b)) for a, b in paired_sessions(given, headline).values()]


def _known(persona: Persona) -> Iterator[tuple[str, str]]:
    for name in type(persona).model_fields:
        value = getattr(persona, name)
        if name in NOT_ON_THE_CARD or value is None:
            continue
        words = "; ".join(value) if isinstance(value, tuple) else str(value)
        yield TITLES.get(name, name[:1].upper() + name[1:].replace("_", " ")), words
    for one in persona.situations:
        yield "Situation", f"{one.event} {one.thought} ({one.feeling}; {one.behaviour})"
    yield from ((name, level) for name, level in persona.labels.items())


def _text(options: Mapping[str, Any], name: str) -> str:
    value = options.get(name)
    return value if isinstance(value, str) else ""
