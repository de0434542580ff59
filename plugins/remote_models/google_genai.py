"""`google`: Gemini through Google's own SDK, an optional extra (`pip install "cbtrun[google]"`).

The SDK's own retries are off: limits, retries and the journal are the runner's. What the API refuses is an error that
names it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cbtrun.calls.addresses import server_of
from cbtrun.calls.server_terms import ServerTerms, terms_of
from cbtrun.errors import ServerFault
from cbtrun.hookspecs import hookimpl
from cbtrun.models import AnswerMode, ModelContext, Reply, Request
from cbtrun.plugins.remote_models.extra_body import extra_body_problems
from cbtrun.plugins.remote_models.openai_reply import Answer, raise_refusal
from cbtrun.plugins.remote_models.vendor_options import hidden, lacking_sdk, missing_extra, vendor_schema

if TYPE_CHECKING:
    from cbtrun.context import BlockContext
    from cbtrun.errors import Problem
    from cbtrun.records import Json

DEFAULT_URL = "https://generativelanguage.googleapis.com"
IDENTITY = ("base_url", "model", "temperature", "top_p", "max_tokens", "stop", "extra_body")
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
    return extra_body_problems(context) if context.stage == "models" else []


@hookimpl
def lacking_here(context: BlockContext) -> list[str]:
    """The SDK, where it is not installed."""
    return lacking_sdk("google", "google-genai") if context.stage == "models" else []


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
        self._options, self._keys = options, context.keys
        self._client: Any = None
        self._secret: Any = None

    @property
    def terms(self) -> ServerTerms:
        """What calls to the server are held to."""
        return terms_of(self._options, server_of(self._keys.address(self._options["base_url"])))

    async def reply(self, request: Request) -> Reply:
        """One try. Raises ModelError, StopRun or ServerTrouble as the answer deserves."""
        client = self._client or self._opened()
        from google.genai import errors

        contents, config = _contents(request), _config(request, self._options)
        try:
            asked = client.aio.models.generate_content(model=self._options["model"], contents=contents, config=config)
            answer = await asyncio.wait_for(asked, self._options["timeout_seconds"])
        except errors.APIError as error:
            body = hidden(self._secret, json.dumps({"error": {"message": error.message or str(error)}})).encode()
            raise_refusal(Answer(error.code, getattr(error.response, "headers", None) or {}, body))
        except TimeoutError:
            raise ServerFault(f"no whole answer within {self._options['timeout_seconds']:g} s") from None
        except Exception as error:  # the SDK lets its HTTP client's own errors through, whichever client it is
            if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "aiohttp", "json", "pydantic_core"):
                raise
            raise ServerFault(hidden(self._secret, f"connection failed: {type(error).__name__}: {error}")) from None
        return _reply(answer, self._secret)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aio.aclose()
            self._client.close()
            self._client = None

    def _opened(self) -> Any:
        try:
            from google import genai
            from google.genai import types
        except ImportError:
            raise missing_extra("google") from None
        url = self._keys.address(self._options["base_url"])
        self._secret = self._keys.key(self._options["api_key_env"], url)
        milliseconds = int(self._options["timeout_seconds"] * 1000)
        http = types.HttpOptions(base_url=url, timeout=milliseconds, retry_options=types.HttpRetryOptions(attempts=1))
        self._client = genai.Client(api_key=self._secret.reveal(), http_options=http, vertexai=False)
        return self._client


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
        config["max_output_tokens"] = most
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


def _reply(answer: Any, secret: Any) -> Reply:
    usage = answer.usage_metadata
    counts = (
        (usage.prompt_token_count or 0, usage.candidates_token_count or 0, usage.thoughts_token_count or 0)
        if usage
        else (0, 0, 0)
    )
    served = str(answer.model_version or "")
    if not answer.candidates:
        return Reply("", counts[0], counts[1] + counts[2], "content_filter", served=served)
    candidate = answer.candidates[0]
    parts = (candidate.content.parts if candidate.content else None) or []
    calls = [part.function_call for part in parts if part.function_call]
    words = "".join(part.text for part in parts if part.text and not part.thought)
    text = json.dumps(calls[0].args, ensure_ascii=False) if calls else words
    reason = str(getattr(candidate.finish_reason, "value", candidate.finish_reason) or "STOP")
    finish = "content_filter" if reason in BLOCKED else FINISH.get(reason, reason.lower())
    return Reply(hidden(secret, text), counts[0], counts[1] + counts[2], finish, served=served)
