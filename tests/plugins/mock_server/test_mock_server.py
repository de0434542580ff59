"""The mock server answers as the embedded models do, by the protocol of each vendor."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cbtrun.contract.models import ChatMessage, Draw, ModelContext, Request
from cbtrun.contract.records import Session, Turn
from cbtrun.errors import ModelError
from cbtrun.plugins.controls.script import ScriptedTherapist
from cbtrun.plugins.corpus.course_messages import author_messages
from cbtrun.plugins.corpus.course_plan import course_path, read_course
from cbtrun.plugins.dialogue.prompts import PATIENT_SYSTEM, patient_system
from cbtrun.plugins.grammar.author import GrammarAuthor
from cbtrun.plugins.mock_server.answers import EmbeddedAnswers, request_of
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.plugins.patients.scripted_patient import ScriptedPatient
from cbtrun.plugins.personas.attributes import attributes_path, read_attributes
from cbtrun.plugins.personas.draw import draw_persona
from cbtrun.plugins.raters import lexical_rater
from cbtrun.ratings.request import Window, rating_brief, rating_request, shown_turns
from tests.helpers.network_studies import listening

ANSWERS = EmbeddedAnswers.of_folders()
STUDY = """
cbtrun: 1
study: rehearsed
seed: 3
contains: none
models:
  author: {using: openai, base_url: "${MOCK_URL}", model: author, seed: true}
  talker: {using: openai, base_url: "${MOCK_URL}", model: talker, seed: true}
  judge:  {using: openai, base_url: "${MOCK_URL}", model: judge, answers: JSON_SCHEMA}
personas:
  train: {using: written, author: author, count: 2}
  eval:  {using: sampled, attributes: depression, count: 2}
corpus:
  cbt: {using: written-course, author: author, personas: train, course: depression-20, register: cbt, sessions: [1, 5]}
arms:
  one: {therapist: talker, factors: {kind: one}}
sessions: {using: dialogue, patient: talker, personas: eval, max_turns: 12}
ratings:
  ctrs: {using: rubric, rubric: ctrs, raters: [judge]}
"""


def briefs() -> dict[str, tuple[tuple[ChatMessage, ...], Any]]:
    """Whom -> the messages that ask for it, and the embedded model that answers them."""
    path, course = attributes_path("depression", Path()), course_path("depression-20")
    assert path is not None
    assert course is not None
    persona = draw_persona(read_attributes(path), "p", 1)
    heard = ChatMessage("user", "What would you like to work on today?")
    turns = (Turn(speaker="therapist", text="What shall we put on the agenda?"), Turn(speaker="patient", text="Sleep."))
    shown = shown_turns(Session(id="s", draw="d", turns=turns, ended="farewell"))
    ctrs = next(rubric for rubric in ANSWERS.rubrics.values() if rubric.name == "ctrs")
    asked = rating_request(rating_brief(ctrs, ctrs.items), Window(shown, len(shown)), Draw("rater", "d")).messages
    rater = lexical_rater.open_model(ModelContext("r", {}, ANSWERS.rubrics))
    return {
        "author": (author_messages(persona, read_course(course), 1, "cbt", ()), GrammarAuthor()),
        "patient": ((ChatMessage("system", patient_system(PATIENT_SYSTEM, persona, 20)), heard), ScriptedPatient()),
        "rater": (asked, rater),
        "therapist": (
            (ChatMessage("system", "Be kind."), ChatMessage("user", "I sleep badly.")),
            ScriptedTherapist("careful"),
        ),
    }


def sent(protocol: str, messages: tuple[ChatMessage, ...]) -> tuple[str, dict[str, Any]]:
    """Path and body by which a vendor is asked."""
    system = "\n\n".join(one.content for one in messages if one.role == "system")
    said = [{"role": one.role, "content": one.content} for one in messages if one.role != "system"]
    if protocol == "openai":
        return "/v1/chat/completions", {"model": "m", "messages": [{"role": "system", "content": system}, *said]}
    if protocol == "anthropic":
        return "/v1/messages", {"model": "m", "max_tokens": 9, "system": system, "messages": said}
    contents = [{"role": "user", "parts": [{"text": one["content"]}]} for one in said]
    return "/v1beta/models/m:generateContent", {
        "systemInstruction": {"parts": [{"text": system}]},
        "contents": contents,
    }


def words_of(protocol: str, answer: dict[str, Any]) -> str:
    """The words of a vendor's answer."""
    if protocol == "openai":
        return str(answer["choices"][0]["message"]["content"])
    if protocol == "anthropic":
        return str(answer["content"][0]["text"])
    return str(answer["candidates"][0]["content"]["parts"][0]["text"])


async def posted(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and answer of a server that answers as the embedded models do."""
    async with (
        MockServer(answer=ANSWERS) as server,
        aiohttp.ClientSession() as client,
        client.post(server.root + path, json=body) as answer,
    ):
        return answer.status, await answer.json()


@pytest.mark.parametrize("protocol", ["openai", "google", "anthropic"])
@pytest.mark.parametrize("whom", ["author", "patient", "rater", "therapist"])
def test_each_role_is_answered_as_its_embedded_model_answers(whom: str, protocol: str) -> None:
    messages, model = briefs()[whom]
    path, body = sent(protocol, messages)
    status, answer = asyncio.run(posted(path, body))
    assert status == 200, answer
    seed = request_of({"messages": [{"role": one.role, "content": one.content} for one in messages]}).seed
    own = asyncio.run(model.reply(Request(messages, Draw("x", ""), seed=seed)))
    assert words_of(protocol, answer) == own.text
    assert len(own.text) > 10


def test_a_seed_in_the_body_decides_the_draw() -> None:
    messages, _ = briefs()["author"]
    path, body = sent("openai", messages)
    texts = [words_of("openai", asyncio.run(posted(path, {**body, "seed": seed}))[1]) for seed in (1, 2, 1)]
    assert texts[0] == texts[2] != texts[1]


def test_a_request_that_no_embedded_model_can_answer_is_refused_with_the_reason() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    body = {"model": "m", "messages": [{"role": "user", "content": "Who are you?"}], "response_format": schema}
    status, answer = asyncio.run(posted("/v1/chat/completions", body))
    assert (status, answer["error"]["message"]) == (
        422,
        "the mock server has no embedded model for this request with a schema",
    )


def test_a_study_of_all_roles_runs_whole_on_it(study_project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    project = study_project({"study.yaml": STUDY})
    with listening(MockServer(answer=ANSWERS)) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        outcome = project.run("study.yaml")
    assert outcome.code == 0, outcome.err
    run = project.folder / "runs" / "rehearsed"
    ratings = [json.loads(line) for line in (run / "ratings" / "ctrs.jsonl").read_bytes().splitlines()]
    assert len(ratings) == 2
    assert all(item["score"] is not None for one in ratings for item in one["scores"])
    assert len((run / "corpus" / "cbt.jsonl").read_bytes().splitlines()) == 4


def test_a_rubric_that_the_server_does_not_know_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unknowing:
        async def reply(self, _: object) -> None:
            raise ModelError("lexical-rater: no rubric of the study has the digest 12")

    monkeypatch.setattr(EmbeddedAnswers, "_model", lambda *_: Unknowing())
    with pytest.raises(ModelError, match="knows the shipped rubrics alone: start it with --rubrics FOLDER"):
        asyncio.run(ANSWERS({"messages": [{"role": "user", "content": "Hello."}], "seed": 1}))
