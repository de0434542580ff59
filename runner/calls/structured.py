"""A structured answer from any model: Instructor patched onto `reply`.

Instructor parses, validates and asks again; every attempt, bad answers included, goes through the journaled `reply`
as a draw of its own. What it does not do: retry errors of the connection (the runner does), or invent a value.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, cast, runtime_checkable

from pydantic import BaseModel, ValidationError

from cbtrun.calls.spoken import NotSpokenError
from cbtrun.contract.models import AnswerMode, ChatMessage, Model, Reply, Request

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

Mode = AnswerMode

# What `ask` was given as `context`. It does not go through Instructor, which would take it as a wish to render every
# message as a Jinja2 template with it: a patient who says "{{ 7 * 7 }}" would be heard saying 49.
_context: ContextVar[Any] = ContextVar("cbtrun_answer_context", default=None)

_UNUSABLE = {
    "length": "answer cut off at the token limit",
    "filter": "answer blocked by a content filter",
    "content_filter": "answer blocked by a content filter",
}
_FENCE_OPENS = re.compile(r"```[a-zA-Z]*+[^\S\n]*+\n")


class Answer(BaseModel):
    """Base of every answer model: its validators read `info.context`, which is the context that `ask` was given."""

    @classmethod
    def model_validate_json(cls, json_data: Any, *, context: Any = None, **options: Any) -> Any:
        """As Pydantic's, with the context of the running `ask`; its errors are worded the same for every version."""
        try:
            return super().model_validate_json(
                json_data, context=_context.get() if context is None else context, **options
            )
        except ValidationError as error:
            from instructor.core.exceptions import ResponseParsingError

            raise ResponseParsingError(explain(error)) from error


AnswerModel = TypeVar("AnswerModel", bound=Answer)


class Replies(Protocol):
    """What answers: `context.model(name)` gives one."""

    async def reply(self, request: Request) -> Reply:
        """The reply to a request; asking the same again gives the same."""


@runtime_checkable
class SpeaksFor(Protocol):
    """Replies of one open model, which can be asked what else it has."""

    @property
    def model(self) -> Model:
        """The model."""


@dataclass(frozen=True)
class Attempt:
    """One try: what came back, and what was wrong with it."""

    text: str
    finish: str
    reason: str | None
    """Why it is no answer; none for the answer that was taken."""
    unusable: bool = False
    """Cut off, blocked or empty: not to be read, however it reads."""


@dataclass(frozen=True)
class Answered(Generic[AnswerModel]):
    """The valid answer, or why there is none, and every attempt on the way."""

    value: AnswerModel | None
    reason: str | None
    """Why there is no answer: what was wrong with the last attempt."""
    attempts: tuple[Attempt, ...]


async def ask(
    calls: Replies,
    request: Request,
    answer_model: type[AnswerModel],
    *,
    mode: Mode = "JSON",
    tries: int = 2,
    context: Any = None,
) -> Answered[AnswerModel]:
    """Ask for an answer that fits `answer_model`; ask again, naming the errors, up to `tries` attempts in all.

    Each attempt has its own `draw.attempt`, counted on from the request's. An error of `reply` passes through.
    """
    from instructor.core.exceptions import InstructorRetryException
    from instructor.core.hooks import Hooks

    conversation = _Conversation(calls, replace(request, schema=answer_schema(answer_model), mode=mode), mode, tries)
    hooks = Hooks()
    hooks.on("parse:error", conversation.refuse)
    create: Callable[..., Awaitable[Any]] = _instructor().patch(
        create=conversation.create, mode=_instructor().Mode[mode]
    )
    token = _context.set(context)
    try:
        value = await create(
            response_model=_response_model(answer_model),
            messages=[{"role": message.role, "content": message.content} for message in request.messages],
            max_retries=tries - 1,
            hooks=hooks,
        )
    except InstructorRetryException:
        if conversation.error is not None:
            raise conversation.error from None
        return Answered(None, conversation.attempts[-1].reason, tuple(conversation.attempts))
    finally:
        _context.reset(token)
    return Answered(value, None, tuple(conversation.attempts))


def answer_schema(answer_model: type[BaseModel]) -> Mapping[str, Any]:
    """JSON Schema of an answer model, as a request carries it."""
    return _schema(answer_model)


@lru_cache(maxsize=256)
def _schema(answer_model: type[BaseModel]) -> Mapping[str, Any]:
    schema = answer_model.model_json_schema()
    inlined = _inlined({key: part for key, part in schema.items() if key != "$defs"}, schema.get("$defs", {}))
    return cast(Mapping[str, Any], inlined)


def _inlined(part: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema without references and titles: several servers that constrain answers read neither."""
    if isinstance(part, list):
        return [_inlined(one, definitions) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _inlined(definitions[part["$ref"].removeprefix("#/$defs/")], definitions)
    named = part.get("title")  # a property of that name holds a schema, a title holds text
    return {
        key: _inlined(value, definitions) for key, value in part.items() if key != "title" or not isinstance(named, str)
    }


@lru_cache(maxsize=256)
def _response_model(answer_model: type[AnswerModel]) -> type[AnswerModel]:
    """What Instructor is given: a model without fields that validates as the answer's does.

    For every call Instructor makes a class, writes the schema anew and walks four times through all fields: 15 ms of
    CPU for a rubric of 11 items, 2.5 ms this way.
    """

    class Response(Answer):
        @classmethod
        def model_validate_json(cls, json_data: Any, **options: Any) -> Any:
            return answer_model.model_validate_json(json_data, **options)

        @classmethod
        def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
            # Instructor writes it into its own wording of the request, which is left out (see `_next_request`).
            return {"title": answer_model.__name__, "type": "object"}

    return cast(type[AnswerModel], _instructor().response_schema(Response))


@lru_cache(maxsize=1)
def _instructor() -> Any:
    import instructor

    # Without a handler of its own its error lines, transcript text included, would go to stderr.
    logging.getLogger("instructor").addHandler(logging.NullHandler())
    return instructor


def why_unusable(reply: Reply) -> str | None:
    """Why a reply cannot hold an answer, however it reads; none when it may."""
    if reply.finish in _UNUSABLE:
        return _UNUSABLE[reply.finish]
    return None if reply.text.strip() else "empty answer"


def answer_text(text: str) -> str:
    """The answer without the code fence that some models put around it."""
    text = text.strip()
    fence = _FENCE_OPENS.match(text)
    if fence is None or not text.endswith("```") or len(text) < fence.end() + 3:
        return text
    return text[fence.end() : -3].strip()


def explain(error: ValidationError) -> str:
    """What is wrong with an answer, one line for each place, without the value and without a library's version."""
    return "\n".join(": ".join(filter(None, (".".join(map(str, one["loc"])), _said(one)))) for one in error.errors())


def _said(detail: Mapping[str, Any]) -> str:
    if detail["type"] == "json_invalid":
        return "not valid JSON"
    return str(detail["msg"]).removeprefix("Value error, ")


class _UnansweredError(Exception):
    """Every attempt came back cut off, blocked or empty."""


@dataclass
class _Conversation:
    """The attempts of one `ask`, as Instructor's create function."""

    calls: Replies
    request: Request
    mode: Mode
    tries: int
    attempts: list[Attempt] = field(default_factory=list)
    error: Exception | None = None

    async def create(self, *, messages: list[dict[str, Any]], **_: Any) -> ChatCompletion:
        """The next attempt whose reply can be read, as OpenAI's completion."""
        while len(self.attempts) < self.tries:
            try:
                reply = await self.calls.reply(self._next_request(messages))
            except NotSpokenError as silent:
                self.attempts.append(Attempt("", silent.reply.finish, str(silent), unusable=True))
                continue
            except Exception as error:  # Instructor wraps whatever it sees: kept, and raised again as it was
                self.error = error
                raise
            reason = why_unusable(reply)
            self.attempts.append(Attempt(reply.text, reply.finish, reason, unusable=reason is not None))
            if reason is None:
                return _completion(answer_text(reply.text), self.mode)
        raise _UnansweredError

    def refuse(self, error: Exception, **_: Any) -> None:
        """Note what was wrong with the answer that Instructor just read."""
        self.attempts[-1] = replace(self.attempts[-1], reason=str(error))

    def _next_request(self, messages: list[dict[str, Any]]) -> Request:
        """The request as it was rendered, and what Instructor has added to it since.

        Instructor's own wording of the schema in the first messages is left out: the rendered request says what it
        wants, the schema travels beside it, and what was asked does not change with Instructor's version.
        """
        first = self.request.messages
        since = [ChatMessage(_role(message), _content(message)) for message in messages[len(first) :]]
        draw = replace(self.request.draw, attempt=self.request.draw.attempt + len(self.attempts))
        return replace(self.request, messages=(*first, *since), draw=draw)


def _role(message: Mapping[str, Any]) -> Literal["user", "assistant"]:
    return "assistant" if message["role"] == "assistant" else "user"


def _content(message: Mapping[str, Any]) -> str:
    if message.get("tool_calls"):
        return str(message["tool_calls"][0]["function"]["arguments"])
    return str(message["content"])


def _completion(text: str, mode: Mode) -> ChatCompletion:
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion

    message: dict[str, Any] = {"role": "assistant", "content": text}
    if mode == "TOOLS":
        function = {"name": "answer", "arguments": text}
        message |= {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
    choice = {"index": 0, "finish_reason": "tool_calls" if mode == "TOOLS" else "stop", "message": message}
    # Tokens are counted by the journal; without a usage Instructor tries to import another vendor's client each time.
    usage = CompletionUsage(prompt_tokens=0, completion_tokens=0, total_tokens=0)
    return ChatCompletion.model_validate(
        {"id": "reply", "object": "chat.completion", "created": 0, "model": "", "choices": [choice], "usage": usage}
    )
