"""A persona's own words as slots: for the patient who says them, and for the therapist who says them back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from cbtrun.plugin import FullPersona
from cbtrun.plugins.personas.thought_kinds import thought_kind
from cbtrun.plugins.wording.phrasing import Phrasebook, finish, read_rules
from cbtrun.plugins.wording.pronouns import clause, to_you

MATERIAL = Path(__file__).parents[1] / "grammar" / "plan" / "material.yaml"
PATIENT_WORDS = Path(__file__).parents[1] / "patients" / "words"

SAID_BACK = {
    "event2": "event",
    "behaviour2": "behaviour",
    "symptom2": "symptom",
    "strength2": "strength",
    "goal2": "goal",
    "thought": "thought",
    "feeling": "feeling",
    "rule": "rule",
    "core": "core",
    "alternative": "alternative",
    "newcore": "newcore",
    "pct": "pct",
    "pct2": "pct2",
    "when": "when",
}
"""Slot of the therapist -> slot of the patient that must have been said before it can be said back."""

TURNED = frozenset({"event2", "behaviour2", "symptom2", "strength2", "goal2", "when"})
"""Slots that are said back with "you" for "I"; the others are quoted."""


@dataclass
class Material:
    """What a patient can say in one session, and what of it has been said."""

    slots: dict[str, str]
    """What the patient would say now."""
    spare: dict[str, list[str]]
    """Further symptoms, strengths and goals, for when the first has been said."""
    said: set[str] = field(default_factory=set)
    """Slots that were said and have no spare left."""
    heard: dict[str, str] = field(default_factory=dict)
    """What the therapist can say back: the latest of each kind."""
    latest: set[str] = field(default_factory=set)
    """Slots of `heard` that the patient's last turn was about."""

    def fresh(self) -> dict[str, str]:
        """The slots that have not been said yet."""
        return {name: text for name, text in self.slots.items() if name not in self.said}

    def note(self, text: str) -> None:
        """Take in what the patient has just said."""
        lowered = text.lower()
        self.latest = set()
        for back, name in SAID_BACK.items():
            if name in self.slots and occurs(self.slots[name], lowered):
                self.latest.add(back)
                self.heard[back] = to_you(self.slots[name]) if back in TURNED else self.slots[name]
        for name in ONCE:
            if name in self.slots and occurs(self.slots[name], lowered):
                self._move_on(name)

    def _move_on(self, name: str) -> None:
        if self.spare.get(name):
            self.slots[name] = self.spare[name].pop(0)
        else:
            self.said.add(name)


ONCE = ("event", "behaviour", "symptom", "symptom_b", "strength", "goal", "thought", "problem", "history", "joy",
        "core", "core_clause", "rule", "rule_clause")  # fmt: skip
"""Content that one would not tell twice within an hour if there is something else to say."""


def occurs(words: str, lowered_text: str) -> bool:
    """Whether words occur in a lower-case text, not inside other words."""
    words = words.lower()
    start = lowered_text.find(words)
    while start >= 0:  # no pattern: there are more of them than re keeps, and each would be compiled anew
        end = start + len(words)
        if not (start and _in_word(lowered_text[start - 1])) and not _in_word(lowered_text[end : end + 1]):
            return True
        start = lowered_text.find(words, start + 1)
    return False


def _in_word(character: str) -> bool:
    """As patterns have it: a letter, a digit or an underscore."""
    return character.isalnum() or character == "_"


def patient_material(persona: FullPersona, number: int, rng: Random) -> Material:
    """What this patient can say in session `number`: one situation in the middle, the rest drawn round it."""
    book = Phrasebook(read_rules(MATERIAL))
    situation = persona.situations[(number - 1) % len(persona.situations)]
    slots = {
        "name": persona.name,
        "event": clause(situation.event),
        "behaviour": clause(situation.behaviour),
        "thought": situation.thought.rstrip(".!?"),
        "feeling": situation.feeling,
        "problem": clause(persona.presenting_problem),
        "history": " ".join(sentences(persona.history)[:2]),
        "mood": str(mood(persona, number, rng)),
    }
    spare = {
        "symptom": _shuffled(persona.symptoms, rng),
        "strength": _shuffled(persona.strengths, rng),
        "goal": _shuffled(persona.goals, rng),
    }
    slots |= {name: texts.pop(0) for name, texts in spare.items() if texts}
    slots |= dict(_beliefs(persona, rng))
    if spare["symptom"]:
        slots["symptom_b"] = spare["symptom"].pop()
    for name in ("joy", "someone", "weekday", "when"):
        slots[name] = book.draw(name, slots, rng)
    slots |= dict(_thinking(slots, book, rng))
    return Material(slots, spare)


def _beliefs(persona: FullPersona, rng: Random) -> Iterator[tuple[str, str]]:
    if persona.intermediate_beliefs:
        rule = rng.choice(persona.intermediate_beliefs).rstrip(".!?")
        yield from (("rule", rule), ("rule_clause", clause(rule)))
    if persona.core_beliefs:
        core = rng.choice(persona.core_beliefs).rstrip(".!?")
        yield from (("core", core), ("core_clause", clause(core)))


def _thinking(slots: Mapping[str, str], book: Phrasebook, rng: Random) -> Iterator[tuple[str, str]]:
    """What thought work brings out: the kind of error, a fairer view, beliefs in percent, a kinder core."""
    kind = thought_kind(slots["thought"])
    base = book.draw(f"view {kind}", slots, rng)
    percent = rng.choice(range(60, 100, 5))
    yield "kind", book.draw(f"kind {kind}", slots, rng)
    yield "alternative", finish(book.draw("view with strength", {**slots, "base": base}, rng)).rstrip(".")
    yield "newcore", finish(book.draw("new_core", slots, rng))
    yield "pct", str(percent)
    yield "pct2", str(max(10, percent - rng.choice((15, 20, 25, 30, 40))))


def mood(persona: FullPersona, number: int, rng: Random) -> int:
    """Points of 10: lower with a higher PHQ-9, and rising a little in the course of treatment."""
    start = 7 - persona.phq9 / 4
    return max(1, min(9, round(start + min(number - 1, 20) * 0.18 + rng.uniform(-0.8, 0.8))))


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with its full stop."""
    return re.split(r"(?<=[.!?])[\"']?\s+", text.strip())


def _shuffled(texts: tuple[str, ...], rng: Random) -> list[str]:
    return [clause(text) for text in rng.sample(texts, len(texts))]
