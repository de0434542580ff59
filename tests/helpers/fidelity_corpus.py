"""Clean sessions, and sessions with one planted fault each, made anew from seeds and tests/golden/fidelity/*.yaml."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from cbtrun.contract.digests import digest
from cbtrun.contract.models import Draw, Model, Request
from cbtrun.contract.records import Persona, Speaker, Turn
from cbtrun.plugins.controls.script import ScriptedTherapist
from cbtrun.plugins.corpus.course_messages import author_messages
from cbtrun.plugins.corpus.course_plan import course_path, read_course
from cbtrun.plugins.dialogue.endings import both_took_leave
from cbtrun.plugins.dialogue.prompts import PATIENT_SYSTEM, patient_system, view
from cbtrun.plugins.fidelity.finding import Case
from cbtrun.plugins.grammar.author import GrammarAuthor
from cbtrun.plugins.patients.scripted_patient import ScriptedPatient
from cbtrun.plugins.personas.attributes import attributes_path, read_attributes
from cbtrun.plugins.personas.sampled import draw_personas
from tests.helpers.places import TESTS

GOLDEN = TESTS / "golden" / "fidelity"
TURNS = 28  # most turns of a session


@dataclass(frozen=True)
class Planted:
    """A session with one fault."""

    fault: str
    recipe: str
    by: Speaker
    case: Case


@lru_cache(maxsize=4)
def people(count: int, seed: int = 5) -> tuple[Persona, ...]:
    """Personas of the shipped attributes."""
    path = attributes_path("depression", Path())
    assert path is not None
    return tuple(draw_personas(read_attributes(path), count, seed, "fidelity"))


@lru_cache(maxsize=4)
def clean_cases(count: int, seed: int = 1) -> tuple[Case, ...]:
    """Sessions that the scripted patient and the grammar hold: in turn simulated, CBT, supportive."""
    return tuple(asyncio.run(_clean(persona, number, seed)) for number, persona in enumerate(people(count, seed)))


async def _clean(persona: Persona, number: int, seed: int) -> Case:
    kind = ("simulated", "cbt", "supportive")[number % 3]
    turns = await (_simulated(persona, seed) if kind == "simulated" else _written(persona, kind, 1 + number % 20, seed))
    return Case(tuple(turns), persona, PATIENT_SYSTEM.partition("{{")[0], TURNS)


async def _simulated(persona: Persona, seed: int) -> list[Turn]:
    models: dict[Speaker, Model] = {"therapist": ScriptedTherapist("careful"), "patient": ScriptedPatient()}
    system: dict[Speaker, str] = {"therapist": "", "patient": patient_system(PATIENT_SYSTEM, persona, TURNS)}
    turns: list[Turn] = []
    while len(turns) < TURNS and not both_took_leave(turns):
        speaker: Speaker = "patient" if len(turns) % 2 else "therapist"
        draw = Draw(speaker, digest(persona), 1, len(turns) + 1)
        request = Request(view(speaker, system[speaker], turns), draw, seed=seed * 1000 + len(turns))
        turns.append(Turn(speaker=speaker, text=(await models[speaker].reply(request)).text))
    return turns


async def _written(persona: Persona, register: str, number: int, seed: int) -> list[Turn]:
    path = course_path("depression-20")
    assert path is not None
    messages = author_messages(persona, read_course(path), number, register, ())
    reply = await GrammarAuthor().reply(Request(messages, Draw("author", digest(persona)), seed=seed))
    return [Turn(speaker=one["role"], text=one["content"]) for one in json.loads(reply.text)["messages"]]


def planted(file: str) -> Iterator[Planted]:
    """Every fault of a file, each in a session of its own."""
    cases = clean_cases(60, seed=9)
    recipes: Mapping[str, Sequence[Mapping[str, Any]]] = yaml.safe_load((GOLDEN / file).read_text(encoding="utf-8"))
    for fault, entries in recipes.items():
        for number, recipe in enumerate(entries):
            rng = Random(f"{file} {fault} {number}")
            fitting = [case for case in cases if _suits(case.persona, recipe.get("needs", ()))]
            case = rng.choice(fitting)
            yield Planted(fault, str(recipe), recipe.get("by", "patient"), _plant(case, recipe, rng))


def _suits(persona: Persona | None, needs: Sequence[str]) -> bool:
    assert persona is not None
    home, life = persona.living_situation, persona.model_dump_json().lower()
    has = {
        "alone": "on my own" in home and not any(word in life for word in ("husband", "wife", "partner")),
        "partner": any(word in home for word in ("husband", "wife", "partner")),
        "kids": any(word in home for word in ("children", "son", "daughter")),
        "no-kids": not any(word in life for word in ("child", "kid", "son", "daughter", "baby")),
        "no-pet": "with my" in home and "parents" not in home and "sister" not in home,
    }
    return all(has[need] for need in needs)


def _plant(case: Case, recipe: Mapping[str, Any], rng: Random) -> Case:
    assert case.persona is not None
    speaker: Speaker = recipe.get("by", "patient")
    turns = list(case.turns)
    own = [place for place, turn in enumerate(turns) if turn.speaker == speaker]
    room = recipe.get("copies", {}).get("times") or len(recipe.get("lines", "-"))
    may_start = own[: -max(room, 1 if "at" in recipe else 2)]
    share = recipe.get("at", rng.uniform(0.3, 0.8))
    start = min(may_start, key=lambda place: abs(place - share * len(turns)))
    lines = _lines(recipe, turns, own, start, case.persona, rng)
    for place, text in zip([place for place in own if place >= start], lines, strict=False):
        turns[place] = Turn(speaker=speaker, text=text)
    if recipe.get("end"):
        turns = turns[: start + 2]
    return replace(case, turns=tuple(turns))


def _lines(
    recipe: Mapping[str, Any], turns: list[Turn], own: list[int], start: int, persona: Persona, rng: Random
) -> list[str]:
    if "copies" in recipe:
        return _copies(recipe["copies"], turns, start)
    texts = recipe.get("lines") or [recipe.get("say", recipe.get("add"))]
    filled = [_fill(text, persona, rng) for text in texts]
    return [turns[start].text + filled[0]] if "add" in recipe else filled


def _copies(wanted: Mapping[str, Any], turns: list[Turn], start: int) -> list[str]:
    """An earlier turn of eight words or more said again; `of: therapist`: each turn says the therapist's last back."""
    if wanted.get("of") == "therapist":
        heard = [turn.text for turn in turns[start - 1 :] if turn.speaker == "therapist"]
        return heard[: wanted["times"]]
    by = wanted.get("by", "patient")
    said = [turn.text for turn in turns[:start] if turn.speaker == by]
    text = max(said, key=lambda one: min(len(one.split()), 20))
    return [wanted.get("before", "") + text + wanted.get("after", "")] * wanted["times"]


def _fill(text: str, persona: Persona, rng: Random) -> str:
    others = [one for one in people(60, 9) if one.occupation.split()[-1] not in persona.model_dump_json()]
    other = rng.choice([one for one in others if one.name != persona.name and abs(one.age - persona.age) > 8])
    slots = {
        "name": persona.name,
        "age": str(persona.age),
        "occupation": persona.occupation,
        "engagement_style": persona.engagement_style,
        "disclosure_style": persona.disclosure_style,
        "problem": persona.presenting_problem,
        "core": persona.core_beliefs[0],
        "rule": persona.intermediate_beliefs[0],
        "other_name": other.name,
        "other_age": str(other.age),
        "other_occupation": other.occupation,
    }
    for name, value in slots.items():
        text = text.replace("{" + name + "}", value)
    return text
