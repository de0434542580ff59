"""Answers of the mock server: fixed words for tests of the transport, and what the embedded models say for rehearsals.

EmbeddedAnswers is the grammar as author, the scripted patient, the careful control as therapist and the lexical rater,
each behind whatever protocol it is asked by. It tells from the messages alone who is asked.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import ChatMessage, Draw, Model, ModelContext, ModelError, Request, derive_seed
from cbtrun.plugins.mock_server.protocols import Body, wanted_schema

if TYPE_CHECKING:
    from cbtrun.plugin import Rubric

ITEMS = re.compile(r"^Items: (.+)$", re.MULTILINE)
RATING = re.compile(r"^Rubric: .*\([0-9a-f]+\)\s*$", re.MULTILINE)


def default_answer(body: Body) -> str:
    """A rating for a rating request, words that depend on the request otherwise. The same body, the same answer."""
    messages = body["messages"]
    if asked := ITEMS.search(str(messages[min(1, len(messages) - 1)]["content"])):
        return rating([item.strip() for item in asked.group(1).split(",")])
    mark = hashlib.sha256(json.dumps(messages).encode()).hexdigest()[:8]
    length = len(str(messages[-1]["content"]))
    return f"I hear that, and I want to stay with it for a moment. What went through your mind then ({mark}, {length})?"


def rating(items: Iterable[str], score: int = 0) -> str:
    """A valid rating of every item as absent."""
    one = {"rationale": "Nothing of it.", "evidence": [], "absent": score == 0, "score": score, "unscored_reason": None}
    return json.dumps({"items": dict.fromkeys(items, one)})


@dataclass(frozen=True)
class EmbeddedAnswers:
    """What the embedded models answer. A call gives the words, or raises ModelError where none can answer."""

    rubrics: Mapping[str, Rubric]
    """That the rater knows, by digest."""

    @classmethod
    def of_folders(cls, folders: Sequence[Path] = ()) -> EmbeddedAnswers:
        """Answers by the shipped rubrics and those in further folders."""
        import cbtrun.rubrics
        from cbtrun.plugin import read_rubric, rubric_digest

        files = [
            file for folder in (Path(cbtrun.rubrics.__path__[0]), *folders) for file in sorted(folder.glob("*.yaml"))
        ]
        rubrics = [read_rubric(file) for file in files]
        return cls({rubric_digest(rubric): rubric for rubric in rubrics})

    async def __call__(self, body: Body) -> str:
        """The words for a request in OpenAI's form."""
        request = request_of(body)
        if (brief := _json_of_first_user(request)) is not None and {"about", "brief"} <= brief.keys():
            return _persona(brief["brief"], request.seed)
        if _asks_for_summary(request):
            return _summary(request)
        try:
            return (await self._model(request, brief).reply(request)).text
        except ModelError as error:
            if "no rubric of the study" not in str(error):
                raise
            how = "start it with --rubrics FOLDER, the folder of your rubric's file"
            raise ModelError(f"{error}; the mock server knows the shipped rubrics alone: {how}") from None

    def _model(self, request: Request, brief: Mapping[str, Any] | None) -> Model:
        from cbtrun.plugins.controls.script import ScriptedTherapist
        from cbtrun.plugins.grammar.author import GrammarAuthor
        from cbtrun.plugins.patients.scripted_patient import ScriptedPatient, read_persona
        from cbtrun.plugins.raters import lexical_rater

        if any(one.role == "user" and RATING.search(one.content) for one in request.messages):
            return lexical_rater.open_model(ModelContext("rater", {}, self.rubrics))
        if brief is not None and {"register", "patient", "session"} <= brief.keys():
            return GrammarAuthor()
        try:
            read_persona(request.messages)
        except ModelError:
            if request.schema is None:
                return ScriptedTherapist("careful")
            raise ModelError("the mock server has no embedded model for this request with a schema") from None
        return ScriptedPatient()


def request_of(body: Body) -> Request:
    """A body of OpenAI's chat completions as our own request; without a seed in it the messages decide the draw."""
    messages = tuple(ChatMessage(one["role"], str(one["content"] or "")) for one in body["messages"])
    seed = body.get("seed")
    if seed is None:
        seed = derive_seed("mock server", [[one.role, one.content] for one in messages])
    schema = wanted_schema(body)
    if schema is None and (body.get("response_format") or {}).get("type") == "json_object":
        schema = {"type": "object"}
    return Request(messages, Draw("mock", ""), max_tokens=body.get("max_tokens"), schema=schema, seed=int(seed))


def _json_of_first_user(request: Request) -> dict[str, Any] | None:
    """The JSON object that the first user message is, or none."""
    first = next((one.content for one in request.messages if one.role == "user"), "")
    if not first.startswith("{"):
        return None
    try:
        value = json.loads(first)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _persona(brief: Mapping[str, Any], seed: int) -> str:
    """A persona drawn from the shipped attributes, held to its brief."""
    from cbtrun.plugins.personas.attributes import attributes_path, read_attributes
    from cbtrun.plugins.personas.draw import draw_persona

    path = attributes_path("depression", Path())
    assert path is not None
    persona = draw_persona(read_attributes(path), "written", seed).model_dump(mode="json", exclude={"id"})
    return json.dumps({**persona, **brief}, ensure_ascii=False)


def _asks_for_summary(request: Request) -> bool:
    from cbtrun.plugins.dialogue.carry import SUMMARY_REQUEST

    return request.messages[-1].content.endswith(SUMMARY_REQUEST)


def _summary(request: Request) -> str:
    """What a therapist's model keeps of a session, found by the program that summarises without a model."""
    from cbtrun.plugin import Turn
    from cbtrun.plugins.dialogue.carry import program_summary

    speakers = {"assistant": "therapist", "user": "patient"}
    said = [one for one in request.messages[:-1] if one.role != "system"]
    turns = [Turn.model_validate({"speaker": speakers[one.role], "text": one.content}) for one in said]
    return program_summary(turns) or "We met and talked."
