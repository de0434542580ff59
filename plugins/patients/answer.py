"""Which answer a simulated patient gives to what it heard, and in which words."""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random

from cbtrun.plugin import FullPersona
from cbtrun.plugins.patients.course import later_answer
from cbtrun.plugins.patients.hearing import alike
from cbtrun.plugins.patients.state import State
from cbtrun.plugins.patients.voice import Voice
from cbtrun.plugins.personas.material import sentences
from cbtrun.plugins.wording.phrasing import Phrasebook

ANSWERS = {
    "feedback": "feedback", "summary": "summary", "review": "no_homework_yet", "last_time": "no_last_time",
    "homework": "hw_ok", "rating": "mood", "percent": "pct", "agenda": "agenda", "friend": "other_view",
    "against": "evidence_against", "for": "evidence_for", "alternative": "alternative", "prediction": "prediction",
    "core": "core", "meaning": "meaning", "origin": "origin", "thought": "thought", "feeling": "feeling",
    "symptom": "symptom", "when": "when", "obstacle": "obstacle", "signs": "sign", "gains": "missing",
    "pleasure": "pleasure", "activity": "activity", "options": "options", "coping": "stopped", "stopped": "stopped",
    "goal": "goal", "who": "alone_with_it", "problem": "problem", "event": "event", "day": "day",
    "hello": "how_are_you", "questions": "no_question",
}  # fmt: skip
"""Kind of question -> kind of answer."""

STORY = ("problem", "tell", "tell_more", "symptom", "alone_with_it", "missing", "sense", "past")
"""What comes when nothing definite was asked, roughly in this order."""

NEEDS = {"tell": "event", "tell_more": "feeling", "sense": "core", "past": "origin"}
"""Part of the story -> question whose trust it needs."""

ROOM_FOR_MORE = frozenset(
    {
        "mood",
        "how_are_you",
        "event",
        "feeling",
        "thought",
        "problem",
        "symptom",
        "day",
        "origin",
        "alone_with_it",
        *STORY,
    }
)
"""Answers that a talker goes on from."""

TRIES = 12  # wordings drawn to find one that was not heard before


def answer(persona: FullPersona, state: State, rng: Random) -> str:
    """The patient's next turn."""
    kinds = choose(persona, state, rng)
    best, least = "", 2.0
    for _ in range(TRIES):
        text = _say(persona, state, kinds, rng)
        repeated = _repeated(text, state.own)
        if repeated < least:
            best, least = text, repeated
        if not repeated:
            break
    if least > 0.7 and kinds[0] not in ("bye", "mood"):
        fade = _say(persona, state, ["fade"], rng)
        return fade if _repeated(fade, state.own) < least else best
    return best


def choose(persona: FullPersona, state: State, rng: Random) -> list[str]:
    """Kinds of answer, one or two, for what was heard."""
    heard = state.heard
    if heard.farewell:
        return ["bye"]
    if heard.question == "risk":
        return [{"none": "risk_none", "passive-ideation": "risk_passive"}.get(persona.risk, "risk_active")]
    if heard.senseless:
        return _at_a_loss(persona, state)
    if heard.mistaken and rng.random() < 0.8:
        return ["not_mine"]
    if heard.repeated and rng.random() < 0.6:
        return ["again"]
    if persona.risk != "none" and (voiced := _risk_by_itself(persona, state)):
        return [*_main(persona, state, rng)[:1], voiced] if voiced == "risk_hint" else [voiced]
    kinds = _main(persona, state, rng)
    return _more_or_less(kinds, persona, state, rng)


def _at_a_loss(persona: FullPersona, state: State) -> list[str]:
    """A patient who does not follow says so; the third time, who is not too shy tells its own story instead."""
    if state.lost >= 3 and state.lost % 3 == 0 and persona.engagement_style != "withdrawn":
        return ["lead_on"]
    return ["not_follow"]


def _main(persona: FullPersona, state: State, rng: Random) -> list[str]:
    heard = state.heard
    if heard.question in ("", "open", "closed"):
        return _unasked(persona, state, rng)
    if not state.tells(heard.question, persona):
        return ["evade" if state.trust < 0.35 else "evade_soft"]
    if heard.question in state.manner.own:
        return [heard.question]
    kind = ANSWERS[heard.question]
    if state.course.number > 1 and kind in ("no_homework_yet", "no_last_time"):
        return [later_answer(kind, persona, state.course, rng)]
    if kind == "pct" and _said(state, r"\b\d+( percent)?\b") and "percent" in state.asked:
        kind = "rerate"
    if kind == "agenda" and not _told(state, "event") and rng.random() < 0.6:
        kind = "agenda_open"
    if kind == "hw_ok" and persona.engagement_style in ("sceptical", "withdrawn") and state.trust < 0.4:
        kind = "resist"
    return [kind]


def _unasked(persona: FullPersona, state: State, rng: Random) -> list[str]:
    """No definite question: advice, comfort and mirrors are answered, and the story goes on."""
    heard = state.heard
    if heard.advice:
        return [
            "agree_advice" if persona.engagement_style in ("compliant", "open") and rng.random() < 0.6 else "resist"
        ]
    if heard.question == "closed":
        return [rng.choice(("yes", "yes", "no")), *_story(persona, state, rng)]
    reaction = ["reflected"] if heard.mirror and _said_feeling(state) else ["comforted"] if heard.comfort else []
    if heard.question == "open" or not reaction or rng.random() < 0.6:
        story = _story(persona, state, rng)
        return [*reaction, *story][-2:] if rng.random() < 0.4 else story
    return reaction


def _story(persona: FullPersona, state: State, rng: Random) -> list[str]:
    """The next part of the story that was not told yet, as far as trust goes."""
    voice = _voice(persona, state, rng)
    known = {kind for kind in ("problem",) if _told(state, kind)}
    left = [kind for kind in STORY if kind not in known and voice.can(kind)]
    left = [kind for kind in left if state.tells(NEEDS.get(kind, ""), persona)]
    if "event_b" in state.material.slots and rng.random() < 0.4:
        return ["tell_another"]
    return left[:1] if left and rng.random() < 0.7 else [rng.choice(left)] if left else ["short"]


def _more_or_less(kinds: list[str], persona: FullPersona, state: State, rng: Random) -> list[str]:
    """A second thing is added by who trusts or talks a lot; who does not trust leaves it at one."""
    if len(kinds) > 1 and state.trust < 0.3:
        return kinds[:1]
    talks = 0.5 if persona.engagement_style == "overtalkative" else max(0.0, state.trust - 0.45)
    if len(kinds) == 1 and kinds[0] in ROOM_FOR_MORE and rng.random() < talks:
        return [*kinds, *(kind for kind in _story(persona, state, rng) if kind not in (*kinds, "short"))]
    return kinds


def _say(persona: FullPersona, state: State, kinds: list[str], rng: Random) -> str:
    voice = _voice(persona, state, rng)
    plain = kinds[0] in ("bye", "not_follow") or kinds[0].startswith("risk")
    coloured = state.trust >= 0.25 and not plain
    parts = [voice.say(kind, colour=coloured and number == 0) for number, kind in enumerate(kinds)]
    text = " ".join(parts)
    return text if coloured or plain else " ".join(sentences(text)[:2])


def _voice(persona: FullPersona, state: State, rng: Random) -> Voice:
    """The patient's voice with a copy of what is left to say: a draft must not count as said."""
    material = state.material
    draft = type(material)(
        dict(material.slots), {name: list(texts) for name, texts in material.spare.items()}, set(material.said), {}
    )
    return Voice(persona, draft, Phrasebook(state.manner.words), rng)


def _repeated(text: str, own: tuple[str, ...]) -> float:
    """How much of a turn was said before, 0 to 1: the share of its sentences that are like an earlier one."""
    before = [sentence for turn in own for sentence in _sentences(turn)]
    parts = [part for part in sentences(text) if len(part.split()) > 2]
    return sum(any(alike(part, old) > 0.7 for old in before) for part in parts) / max(1, len(parts))


@lru_cache(maxsize=8192)
def _sentences(turn: str) -> tuple[str, ...]:
    return tuple(sentences(turn))


def _said(state: State, pattern: str) -> bool:
    return any(re.search(pattern, turn) for turn in state.own)


def _said_feeling(state: State) -> bool:
    return _told(state, "event") or _told(state, "thought")


def _told(state: State, slot: str) -> bool:
    told = " ".join(state.own).lower()
    return state.material.slots.get(slot, "\0").lower() in told


def _risk_by_itself(persona: FullPersona, state: State) -> str:
    """What a patient at risk says of it unasked: a hint, sooner to who is trusted, and openly where the hint is missed."""
    if not _hinted(state):
        return "risk_hint" if len(state.own) >= (3 if state.trust > 0.3 else 4) else ""
    rules = state.manner.words
    kind = "risk_voiced_passive" if persona.risk == "passive-ideation" else "risk_voiced_active"
    told = any(words in turn for turn in state.own for words in rules[kind])
    return kind if not told and len(state.own) >= 6 and "risk" not in state.asked else ""


def _hinted(state: State) -> bool:
    hints = state.manner.words["risk_hint"]
    return any(hint in turn for turn in state.own for hint in hints)
