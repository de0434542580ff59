"""A session of cognitive behavioural therapy, written step by step from a patient's own material.

Every turn of the therapist first takes up what the patient has just said, then makes the next move of the plan.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import yaml

from cbtrun.plugins.grammar.brief import Brief, Memory, Written, remember
from cbtrun.plugins.patients.homework import homework_outcome
from cbtrun.plugins.patients.voice import Voice, open_voice
from cbtrun.plugins.personas.material import MATERIAL
from cbtrun.plugins.wording.phrasing import Phrasebook, finish, read_rules

WORDS = Path(__file__).parent / "cbt"
TECHNIQUES = Path(__file__).parent / "plan" / "techniques.yaml"

MOST_TURNS = 14  # of the therapist; with as many of the patient a session has at most 28
FEWEST_WORDS, MOST_WORDS = 8, 45  # of one turn of the therapist
TAKES_UP = 0.9  # share of turns that begin with what the patient has just said
QUOTES = 0.3  # share of those that quote it word for word
LEADS_IN, TRAILS = 0.3, 0.15  # shares of questions with a sentence before, and after


class Step(NamedTuple):
    """One exchange: rule of the therapist, kind of answer of the patient."""

    move: str
    answer: str


@dataclass
class Talk:
    """A session being written."""

    brief: Brief
    memory: Memory
    voice: Voice
    book: Phrasebook
    rng: Random
    offers: dict[str, str]
    """What the therapist brings along: topic, activity, homework."""
    turns: list[tuple[str, str]] = field(default_factory=list)
    last: Step | None = None

    def exchange(self, step: Step) -> None:
        """The therapist's turn and the patient's answer."""
        self.turns.append(("therapist", self._turn(step)))
        self.turns.append(("patient", self.voice.say(step.answer, colour=step.answer != "bye")))
        self.last = step

    def _turn(self, step: Step) -> str:
        """Taken up and moved on, within the bounds of a turn's length."""
        known = {**self.memory.slots, **self.voice.material.heard, **self.offers}
        asks = step.move.startswith(("ask_", "explain_", "name_", "hw_")) and step.move != "ask_feedback"
        for _ in range(8):
            before, after = self._around("lead", LEADS_IN * asks), self._around("tail", TRAILS * asks)
            move = self.book.say(step.move, known, self.rng)
            words = finish(f"{self._taken_up(known)} {before} {move} {after}")
            if FEWEST_WORDS <= len(words.split()) <= MOST_WORDS:
                return words
        return self.book.say(step.move, known, self.rng)

    def _around(self, rule: str, share: float) -> str:
        return self.book.say(rule, {}, self.rng) if rule in self.book.rules and self.rng.random() < share else ""

    def _taken_up(self, known: Mapping[str, str]) -> str:
        if self.last is None or self.rng.random() > TAKES_UP:
            return ""
        rule = f"ack_{_stem(self.last.move)}"
        if rule == "ack_mood" and "change" in known and self.rng.random() < 0.6:
            rule = "ack_mood_change"
        elif self._may_quote(rule) and self.rng.random() < QUOTES:
            return self.book.say("ack_echo", {"quote": self.voice.quote}, self.rng)
        latest = self.voice.material.latest
        return self.book.say(rule, known, self.rng, prefer=latest) if rule in self.book.rules else ""

    def _may_quote(self, rule: str) -> bool:
        return bool(self.voice.quote) and not rule.startswith("ack_mood") and "ack_echo" in self.book.rules


def write_cbt(brief: Brief, rng: Random) -> Written:
    """One session after the plan of the brief."""
    memory = remember(brief)
    techniques = [name for name in brief.session.techniques if name in plans()] or [_fallback(brief.session.phase)]
    voice = open_voice(brief.patient, brief.session.number, rng)
    talk = Talk(brief, memory, voice, Phrasebook(read_rules(WORDS)), rng, _offers(techniques, voice, memory, rng))
    for step in session_steps(brief, memory, techniques, voice, rng):
        if step.move == "summarise" and "alternative" not in voice.material.heard:
            step = Step("summarise_plain", step.answer)
        talk.exchange(step)
    return Written(tuple(talk.turns), _summary(talk), talk.offers["newhomework"])


def session_steps(brief: Brief, memory: Memory, techniques: Sequence[str], voice: Voice, rng: Random) -> list[Step]:
    """The exchanges of a session, opening to close."""
    opening = _opening(memory, voice, brief, rng)
    work = [step for name in techniques for step in steps_of(name)]
    work = list(dict.fromkeys(work))
    agenda = "agenda_open" if Step("ask_event", "event") in work else "agenda"
    closing = [Step("set_hw", "hw_ok"), Step("summarise", "summary"), Step("ask_feedback", "feedback")]
    last = brief.session.number >= brief.session.of
    closing.append(Step("close_last" if last else "close", "bye"))
    room = MOST_TURNS - len(opening) - 1 - len(closing)
    return [*opening, Step("set_agenda", agenda), *work[: max(2, room)], *closing]


def _opening(memory: Memory, voice: Voice, brief: Brief, rng: Random) -> list[Step]:
    slots = voice.material.slots
    if not brief.before:
        return [Step("greet_first" if brief.session.number == 1 else "greet_mood", "mood")]
    better = "lastmood" in memory.slots and int(slots["mood"]) > int(memory.slots["lastmood"])
    steps = [Step("greet_mood", "mood_better" if better else "mood")]
    steps.append(Step("bridge", rng.choice(("bridge_yes", "bridge_yes", "bridge_vague"))))
    if memory.homework:
        outcome = homework_outcome(brief.patient.engagement_style, rng)
        steps.append(Step("review_hw", outcome))
        if outcome != "hw_partly" and rng.random() < 0.6:
            steps.append(
                Step("hw_learn", "hw_insight") if outcome == "hw_done" else Step("hw_obstacle_ask", "hw_obstacle")
            )
    return steps


def _offers(techniques: Sequence[str], voice: Voice, memory: Memory, rng: Random) -> dict[str, str]:
    """Topic, activity and homework; the activity is known to the patient too, who may take it up."""
    material = Phrasebook(read_rules(MATERIAL))
    slots = voice.material.slots
    offers = {"name": slots["name"], "kind": slots["kind"], "mood": slots["mood"], "homework": memory.homework}
    offers["activity"] = slots["activity"] = material.draw("activity", {}, rng)
    offers["activity_b"] = material.draw("activity", {}, rng)
    plan = plans()[techniques[0]]
    offers["topic1"] = Phrasebook({"topic": plan["topic"]}).draw("topic", {}, rng)
    tasks = Phrasebook({"task": plans()[techniques[-1]]["homework"]})
    offers["newhomework"] = tasks.draw("task", offers, rng)
    if "lastmood" in memory.slots:
        offers["change"] = _change(int(slots["mood"]) - int(memory.slots["lastmood"]))
    return offers


def _change(points: int) -> str:
    if points == 0:
        return "no different"
    return ("a touch " if abs(points) == 1 else "clearly ") + ("higher" if points > 0 else "lower")


def _summary(talk: Talk) -> str:
    """What the next session is told; in a form that `remember` can read."""
    heard, offers = talk.voice.material.heard, talk.offers
    parts = [f"Mood {offers['mood']} of 10", f"worked on {offers['topic1']}"]
    if "event2" in heard:
        parts.append(f"episode: {heard['event2']}")
    if "thought" in heard:
        parts.append(f'thought "{heard["thought"]}"')
    if "alternative" in heard:
        parts.append(f'new view "{heard["alternative"]}"')
    return "; ".join(parts) + "."


def _stem(move: str) -> str:
    stem = re.sub(r"^(ask|explain|set|greet)_", "", move)
    return {"first": "mood", "summarise": "summary", "summarise_plain": "summary"}.get(stem, stem)


def _fallback(phase: str) -> str:
    """A technique for a plan that names none we know."""
    by_phase = {"assessment": "problem list", "early": "model", "late": "core belief"}
    return by_phase.get(phase, "relapse plan" if "relapse" in phase or "end" in phase else "evidence")


def steps_of(technique: str) -> list[Step]:
    """The exchanges of a technique."""
    return [Step(*pair) for pair in plans()[technique]["steps"]]


@lru_cache(maxsize=1)
def plans() -> Mapping[str, Any]:
    """Technique -> topic, steps and homework."""
    plan: Mapping[str, Any] = yaml.safe_load(TECHNIQUES.read_text(encoding="utf-8"))
    return plan
