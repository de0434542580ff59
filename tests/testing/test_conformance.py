"""The check for model plugins: our own pass it, and each fault that it looks for is found."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

import cbtrun.rubrics
from cbtrun.contract.models import ChatMessage, Draw, Model, ModelContext, Reply, Request
from cbtrun.contract.records import Persona
from cbtrun.errors import ModelError
from cbtrun.plugins.corpus.course_messages import author_messages
from cbtrun.plugins.corpus.course_plan import course_path, read_course
from cbtrun.plugins.dialogue.phq9 import ASKED, Phq9
from cbtrun.plugins.personas.attributes import attributes_path, read_attributes
from cbtrun.plugins.personas.sampled import draw_personas
from cbtrun.ratings.request import rendered_example
from cbtrun.ratings.rubric import rubric_digest
from cbtrun.ratings.rubric_file import read_rubric
from cbtrun.registry import Registry, load_registry
from cbtrun.testing.model_check import ModelCase, NotConforming, check_model

NOTHING = Request((), Draw("therapist", "x"))
TOO_LONG = Request((ChatMessage("user", "word " * 20_000),), Draw("therapist", "x"))
TALK = Request((ChatMessage("user", "I can't sleep."),), Draw("therapist", "persona"), seed=7, max_tokens=12)


@lru_cache(maxsize=1)
def registry() -> Registry:
    return load_registry()


@lru_cache(maxsize=1)
def persona() -> Persona:
    path = attributes_path("depression", Path())
    assert path is not None
    return draw_personas(read_attributes(path), 1, 1, "eval")[0]


def case(plugin: str, request: Request, **more: Any) -> ModelCase:
    """The plugin with its default options."""
    schema = registry().schema("models", plugin)
    options = {name: one["default"] for name, one in schema["properties"].items() if "default" in one}
    options |= {"using": plugin, **more.pop("options", {})}
    rubrics = more.pop("rubrics", {})

    def opened() -> Model:
        model: Model = registry().run("models", plugin, ModelContext("name-in-the-study", options, rubrics))
        return model

    return ModelCase(opened, request, **more)


def grammar() -> ModelCase:
    path = course_path("depression-20")
    assert path is not None
    asked = author_messages(persona(), read_course(path), 1, "cbt", [])
    return case("grammar", Request(asked, Draw("author", "x"), seed=3), refused=NOTHING)


def patient() -> ModelCase:
    told = ChatMessage("system", persona().model_dump_json())
    asked = Request((told, ChatMessage("user", "How are you?")), Draw("patient", "x"), seed=3)
    form = replace(asked, messages=(told, ChatMessage("user", ASKED)), schema=Phq9.model_json_schema())
    return case("scripted-patient", asked, refused=TALK, structured=form)


def rater() -> ModelCase:
    rubric = read_rubric(Path(cbtrun.rubrics.__path__[0]) / "ctrs.yaml")
    asked = Request(rendered_example(rubric), Draw("rater", "x"))
    return case("lexical-rater", asked, refused=TALK, rubrics={rubric_digest(rubric): rubric})


CASES = {
    "grammar": grammar,
    "scripted-patient": patient,
    "lexical-rater": rater,
    "careful-control": lambda: case("careful-control", TALK),
    "harmful-control": lambda: case("harmful-control", TALK),
    "transformers": lambda: case("transformers", TALK, options={"model": "cbtrun:tiny"}, refused=TOO_LONG),
}


@pytest.mark.parametrize("plugin", CASES)
def test_every_local_model_that_ships_conforms(plugin: str) -> None:
    check_model(CASES[plugin]())


def test_no_local_model_that_ships_is_left_out() -> None:
    remote = {"openai", "google", "anthropic", "vllm", "mock"}
    assert {one for one in registry().names("models") if one not in remote} - CASES.keys() <= {"echo"}


@dataclass
class Sound:
    """A model with nothing wrong; each fault below is this one, changed in one place."""

    asked: int = 0

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"model": "sound"}

    async def reply(self, request: Request) -> Reply:
        if not request.messages:
            raise ModelError("nothing was said")
        await asyncio.sleep(0)
        return Reply(json.dumps({"heard": request.messages[-1].content, "seed": request.seed}))

    async def close(self) -> None:
        """Nothing is held."""


class NoJson(Sound):
    @property
    def identity(self) -> Mapping[str, Any]:
        return {"model": object()}


class NoIdentity(Sound):
    @property
    def identity(self) -> Mapping[str, Any]:
        return {}


class OtherEachTime(Sound):
    @property
    def identity(self) -> Mapping[str, Any]:
        return {"model": str(id(self))}


class TellsPath(Sound):
    @property
    def identity(self) -> Mapping[str, Any]:
        return {"weights": [str(Path.home() / "weights.bin")]}


class TellsKey(Sound):
    @property
    def identity(self) -> Mapping[str, Any]:
        return {"model": "sound", "headers": {"key": "sk-123456789"}}


class GivesText(Sound):
    async def reply(self, request: Request) -> Reply:
        return "hello"  # type: ignore[return-value]


class RollsItsOwnDice(Sound):
    async def reply(self, request: Request) -> Reply:
        return Reply(str(id(self)))


class MixesUp(Sound):
    async def reply(self, request: Request) -> Reply:
        self.asked += 1
        await asyncio.sleep(0)
        mixed = Reply(str(self.asked)) if self.asked > 1 else Reply("1")
        self.asked -= 1
        return mixed


class Sulks(Sound):
    async def reply(self, request: Request) -> Reply:
        if self.asked:
            raise ModelError("still busy")
        self.asked = 1
        await asyncio.sleep(0)
        self.asked = 0
        return Reply("hello")


class AnswersAll(Sound):
    async def reply(self, request: Request) -> Reply:
        return Reply("hello")


class Crashes(Sound):
    async def reply(self, request: Request) -> Reply:
        return Reply(request.messages[0].content)


FAULTS = {
    NoJson: "identity is no plain JSON",
    NoIdentity: "identity is empty",
    OtherEachTime: "opened twice has two identities",
    TellsPath: "identity holds a path",
    TellsKey: "identity holds a key",
    GivesText: "reply gave str, not Reply",
    RollsItsOwnDice: "the same request got two texts",
    MixesUp: "depends on what else is asked",
    AnswersAll: "must be refused was answered",
    Crashes: "raised IndexError, not ModelError",
}


@pytest.mark.parametrize("model", FAULTS, ids=lambda model: model.__name__)
def test_a_fault_is_found_and_named(model: type[Sound]) -> None:
    kept: list[Sound] = []  # two models at one address would look alike

    def opened() -> Model:
        kept.append(model())
        return kept[-1]

    with pytest.raises(NotConforming, match=FAULTS[model]):
        check_model(ModelCase(opened, TALK, refused=NOTHING, secrets=("sk-123456789",)))


def test_a_model_that_is_stuck_after_a_cancelled_call_is_found() -> None:
    with pytest.raises((NotConforming, ModelError)):
        check_model(ModelCase(Sulks, TALK))


def test_an_answer_beside_its_schema_is_found() -> None:
    schema = {"type": "object", "required": ["score"]}
    with pytest.raises(NotConforming, match="does not follow the schema: 'score' is a required property"):
        check_model(ModelCase(Sound, TALK, structured=replace(TALK, schema=schema)))


def test_a_sound_model_passes() -> None:
    check_model(ModelCase(Sound, TALK, refused=NOTHING, structured=replace(TALK, schema={"required": ["heard"]})))
