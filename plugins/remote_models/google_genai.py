"""`google`: Gemini through Google's own SDK, an optional extra (`pip install "cbtrun[google]"`).

The SDK builds requests and reads answers; the network, the key, limits, retries and the journal are the runner's. What
the API refuses is an error that names it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cbtrun.plugin import (
    AnswerMode,
    ModelContext,
    ModelError,
    Reply,
    Request,
    ServerContext,
    ServerQuestion,
    ServerTerms,
    hookimpl,
    thinking_room,
)
from cbtrun.plugins.remote_models.extra_body import extra_body_problems
from cbtrun.plugins.remote_models.google_batches import GoogleBatches
from cbtrun.plugins.remote_models.openai_reply import characters_in, tokens_of
from cbtrun.plugins.remote_models.sdk_client import PLACEHOLDER, client_options, taped_body, taped_reply, told_by_sdk
from cbtrun.plugins.remote_models.server_door import ServerDoor
from cbtrun.plugins.remote_models.vendor_options import lacking_sdk, missing_extra, vendor_schema
from cbtrun.plugins.remote_models.vendor_thinking import gemini_config

if TYPE_CHECKING:
    from cbtrun.plugin import BatchService, BlockContext, ItemAnswer, Json, Problem, Secret

DEFAULT_URL = "https://generativelanguage.googleapis.com"
IDENTITY = ("base_url", "model", "temperature", "top_p", "max_tokens", "stop", "extra_body", "thinking")
FINISH = {"STOP": "stop", "MAX_TOKENS": "length"}
BLOCKED = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII")
TOOL = "answer"


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of a block under `models`."""
    return vendor_schema("Gemini", DEFAULT_URL, "GEMINI_API_KEY", "gemini-...") if stage == "models" else None


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Extra fields that would change what is asked, or have the server do more than answer."""
    if context.stage != "models":
        return []
    try:
        gemini_config(context.options)
    except ModelError as error:
        return [*extra_body_problems(context), context.problem(str(error), "thinking")]
    return extra_body_problems(context)


@hookimpl
def lacking_here(context: BlockContext) -> list[str]:
    """The SDK, where it is not installed."""
    return lacking_sdk("google", "google-genai") if context.stage == "models" else []


@hookimpl
def server_question(context: ServerContext) -> ServerQuestion:
    """What the vendor says of one model."""
    return ServerQuestion(f"{context.url}/v1beta/models/{quote(context.model)}", {"x-goog-api-key": context.key})


@hookimpl
def open_model(context: ModelContext) -> Gemini:
    """The model, without a word to its server and without its SDK yet: an offline run needs neither."""
    return Gemini(context)


class Gemini:
    """A model behind Google's generative language API."""

    def __init__(self, context: ModelContext) -> None:
        options = context.options
        chosen = {name: options[name] for name in IDENTITY if options.get(name) not in (None, [], {})}
        self.identity: Mapping[str, Any] = {"plugin": "google", **chosen}
        self.answer_mode: AnswerMode = options.get("answers") or "JSON_SCHEMA"
        self._options = options
        self._door = ServerDoor(context, _key_headers)
        self._client: Any = None

    @property
    def terms(self) -> ServerTerms:
        """What calls to the server are held to. Raises ModelError when the address cannot be called."""
        return self._door.terms

    async def reply(self, request: Request) -> Reply:
        """One try. Raises ModelError, StopRun or ServerTrouble as the answer deserves."""
        client = self._client or self._opened()
        contents, config = _contents(request), _config(request, self._options)
        try:
            answer = await client.aio.models.generate_content(
                model=self._options["model"], contents=contents, config=config
            )
            return _reply(answer, request)
        except Exception as error:  # whatever the SDK makes of an answer
            raise told_by_sdk(error) from None

    def batch_service(self) -> BatchService:
        """The vendor's batches at the same address."""
        return GoogleBatches(self._door)

    async def batch_body(self, request: Request) -> bytes:
        """The request as the SDK writes it for a direct call."""
        return await taped_body(lambda: self.reply(request))

    async def batch_reply(self, request: Request, answer: ItemAnswer) -> Reply:
        """The reply in an answer of a batch, as the SDK reads that of a direct call."""
        return await taped_reply(lambda: self.reply(request), answer)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aio.aclose()
            self._client.close()
            self._client = None
        await self._door.close()

    def _opened(self) -> Any:
        try:
            from google import genai
            from google.genai import types
        except ImportError:
            raise missing_extra("google") from None
        # About a finish reason that it does not know it would warn in the server's own words; the reply keeps them.
        warnings.filterwarnings("ignore", message=r"(?s).* is not a valid \w+$", category=UserWarning)
        http = types.HttpOptions(
            base_url=self._door.transport.url,  # refuses a key or an address before the SDK sees either
            retry_options=types.HttpRetryOptions(attempts=1),
            async_client_args=client_options(self._door),
        )
        self._client = genai.Client(api_key=PLACEHOLDER, http_options=http, vertexai=False)
        return self._client


def _key_headers(secret: Secret) -> Mapping[str, str]:
    return {"x-goog-api-key": secret.reveal()}


def _contents(request: Request) -> list[dict[str, Any]]:
    """The conversation: it has to begin with the user, who is asked to begin where nobody has spoken."""
    roles = {"user": "user", "assistant": "model"}
    said = [
        {"role": roles[one.role], "parts": [{"text": one.content}]} for one in request.messages if one.role != "system"
    ]
    if not said or said[0]["role"] == "model":
        said.insert(0, {"role": "user", "parts": [{"text": "Please begin."}]})
    return said


def _config(request: Request, options: Mapping[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {name: options[name] for name in ("temperature", "top_p") if options.get(name) is not None}
    if system := "\n\n".join(one.content for one in request.messages if one.role == "system"):
        config["system_instruction"] = system
    if (most := request.max_tokens or options.get("max_tokens")) is not None:
        config["max_output_tokens"] = most + thinking_room(options)
    config |= gemini_config(options)
    if stop := list(dict.fromkeys((*options["stop"], *request.stop))):
        config["stop_sequences"] = stop
    if request.schema is not None:
        config |= _answer_fields(request)
    # Goes into the body as it is: the SDK itself would take fields of its own version only.
    return {**config, "http_options": {"extra_body": options["extra_body"]}} if options["extra_body"] else config


def _answer_fields(request: Request) -> dict[str, Any]:
    if request.mode == "TOOLS":
        function = {"name": TOOL, "description": "Give the answer.", "parameters_json_schema": request.schema}
        calling = {"mode": "ANY", "allowed_function_names": [TOOL]}
        return {"tools": [{"function_declarations": [function]}], "tool_config": {"function_calling_config": calling}}
    fields: dict[str, Any] = {"response_mime_type": "application/json"}
    return {**fields, "response_json_schema": request.schema} if request.mode == "JSON_SCHEMA" else fields


def _reply(answer: Any, request: Request) -> Reply:
    usage, served = answer.usage_metadata, str(answer.model_version or "")
    tokens_in = tokens_of(getattr(usage, "prompt_token_count", None), characters_in(request))
    thought = tokens_of(getattr(usage, "thoughts_token_count", None), 0)
    if not answer.candidates:
        return Reply("", tokens_in, thought, "content_filter", served=served)
    candidate = answer.candidates[0]
    parts = (candidate.content.parts if candidate.content else None) or []
    calls = [part.function_call for part in parts if part.function_call]
    words = "".join(part.text for part in parts if part.text and not part.thought)
    thinking = "\n".join(part.text for part in parts if part.text and part.thought)
    if thought and not thinking:
        thinking = f"({thought:,} tokens, not shown by the server)"
    text = json.dumps(calls[0].args, ensure_ascii=False) if calls else words
    tokens_out = tokens_of(getattr(usage, "candidates_token_count", None), len(text)) + thought
    reason = str(getattr(candidate.finish_reason, "value", candidate.finish_reason) or "STOP")
    finish = "content_filter" if reason in BLOCKED else FINISH.get(reason, reason.lower())
    cached = min(tokens_in, tokens_of(getattr(usage, "cached_content_token_count", None), 0))
    return Reply(text, tokens_in, tokens_out, finish, served=served, thinking=thinking, cached=cached, thought=thought)
