"""`anthropic`: Claude through Anthropic's own SDK, an optional extra (`pip install "cbtrun[anthropic]"`).

The SDK builds requests and reads answers; the network, the key, limits, retries and the journal are the runner's. What
the API refuses is an error that names it.
"""

from __future__ import annotations

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
from cbtrun.plugins.remote_models.anthropic_batches import AnthropicBatches
from cbtrun.plugins.remote_models.extra_body import extra_body_problems
from cbtrun.plugins.remote_models.openai_reply import characters_in, tokens_of
from cbtrun.plugins.remote_models.sdk_client import PLACEHOLDER, client_options, taped_body, taped_reply, told_by_sdk
from cbtrun.plugins.remote_models.server_door import ServerDoor
from cbtrun.plugins.remote_models.vendor_options import lacking_sdk, missing_extra, vendor_schema
from cbtrun.plugins.remote_models.vendor_thinking import claude_answers, claude_fields

if TYPE_CHECKING:
    from cbtrun.plugin import BatchService, BlockContext, ItemAnswer, Json, Problem, Secret

DEFAULT_URL = "https://api.anthropic.com"
IDENTITY = ("base_url", "model", "temperature", "top_p", "max_tokens", "stop", "extra_body", "thinking")
FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "stop",
    "max_tokens": "length",
    "refusal": "content_filter",
}
TOOL = "answer"
WORTH_MARKING = 2_000
"""Characters in common from which on they are marked: no model of the vendor caches fewer than a thousand tokens."""


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of a block under `models`."""
    return vendor_schema("Claude", DEFAULT_URL, "ANTHROPIC_API_KEY", "claude-...") if stage == "models" else None


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Extra fields that would change what is asked, or have the server do more than answer."""
    if context.stage != "models":
        return []
    return [*extra_body_problems(context, _thinking_names(context)), *_thinking_problems(context)]


def _thinking_names(context: BlockContext) -> tuple[str, ...]:
    """Fields that `thinking` sets."""
    return ("thinking", "output_config") if context.options.get("thinking") else ()


def _thinking_problems(context: BlockContext) -> list[Problem]:
    try:
        claude_fields(context.options)
    except ModelError as error:
        return [context.problem(str(error), "thinking")]
    return []


@hookimpl
def lacking_here(context: BlockContext) -> list[str]:
    """The SDK, where it is not installed."""
    return lacking_sdk("anthropic", "anthropic") if context.stage == "models" else []


@hookimpl
def server_question(context: ServerContext) -> ServerQuestion:
    """What the vendor says of one model."""
    return ServerQuestion(
        f"{context.url}/v1/models/{quote(context.model)}", {"x-api-key": context.key, "anthropic-version": "2023-06-01"}
    )


@hookimpl
def open_model(context: ModelContext) -> Claude:
    """The model, without a word to its server and without its SDK yet: an offline run needs neither."""
    return Claude(context)


class Claude:
    """A model behind Anthropic's messages API."""

    def __init__(self, context: ModelContext) -> None:
        options = context.options
        chosen = {name: options[name] for name in IDENTITY if options.get(name) not in (None, [], {})}
        self.identity: Mapping[str, Any] = {"plugin": "anthropic", **chosen}
        self.answer_mode: AnswerMode = options.get("answers") or claude_answers(options)
        self._options = options
        self._door = ServerDoor(context, _key_headers)
        self._client: Any = None

    @property
    def terms(self) -> ServerTerms:
        """What calls to the server are held to. Raises ModelError when the address cannot be called."""
        return self._door.terms

    async def reply(self, request: Request) -> Reply:
        """One try. Raises ModelError, StopRun or ServerTrouble as the answer deserves."""
        client, fields = self._client or self._opened(), _fields(request, self._options)
        try:
            return _reply(await client.messages.create(**fields), request)
        except Exception as error:  # whatever the SDK makes of an answer: it checks little of what it reads
            raise told_by_sdk(error) from None

    def batch_service(self) -> BatchService:
        """The vendor's batches at the same address."""
        return AnthropicBatches(self._door)

    async def batch_body(self, request: Request) -> bytes:
        """The request as the SDK writes it for a direct call."""
        return await taped_body(lambda: self.reply(request))

    async def batch_reply(self, request: Request, answer: ItemAnswer) -> Reply:
        """The reply in an answer of a batch, as the SDK reads that of a direct call."""
        return await taped_reply(lambda: self.reply(request), answer)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None
        await self._door.close()

    def _opened(self) -> Any:
        try:
            import anthropic
        except ImportError:
            raise missing_extra("anthropic") from None
        url = self._door.transport.url  # refuses a key or an address before the SDK sees either
        timeout = self._options["timeout_seconds"]
        http = anthropic.DefaultAsyncHttpxClient(timeout=timeout, **client_options(self._door))
        self._client = anthropic.AsyncAnthropic(
            api_key=PLACEHOLDER, base_url=url, max_retries=0, timeout=timeout, http_client=http
        )
        return self._client


def _key_headers(secret: Secret) -> Mapping[str, str]:
    return {"x-api-key": secret.reveal()}


def _fields(request: Request, options: Mapping[str, Any]) -> dict[str, Any]:
    system = "\n\n".join(one.content for one in request.messages if one.role == "system")
    most = request.max_tokens or options.get("max_tokens")
    if most is None:
        raise ModelError("Anthropic's API wants a bound on the reply: set max_tokens")
    body: dict[str, Any] = {"system": system} if system else {}
    body |= {name: options[name] for name in ("temperature", "top_p") if options.get(name) is not None}
    if stop := list(dict.fromkeys((*options["stop"], *request.stop))):
        body["stop_sequences"] = stop
    thinking = claude_fields(options)
    answer = _answer_fields(request) if request.schema is not None else {}
    settings = {**answer.pop("output_config", {}), **thinking.pop("output_config", {})}
    body |= {**answer, **thinking, **({"output_config": settings} if settings else {}), **options["extra_body"]}
    most += thinking_room(options)
    fields = {"model": options["model"], "max_tokens": most, "messages": _messages(request)}
    # Versions of the SDK differ in the arguments that they take, `temperature` among them. In the body all fields reach
    # the server, which says what it does not want.
    return {**fields, **({"extra_body": body} if body else {})}


def _answer_fields(request: Request) -> dict[str, Any]:
    if request.mode == "TOOLS":
        tool = {"name": TOOL, "description": "Give the answer.", "input_schema": request.schema}
        return {"tools": [tool], "tool_choice": {"type": "tool", "name": TOOL}}
    if request.mode == "JSON_SCHEMA":
        return {"output_config": {"format": {"type": "json_schema", "schema": request.schema}}}
    return {}


def _messages(request: Request) -> list[dict[str, Any]]:
    """The conversation: it has to begin with the user, who is asked to begin where nobody has spoken.

    What thousands of requests have in common is marked for the vendor's cache, which keeps nothing by itself.
    """
    said: list[dict[str, Any]] = [
        {"role": one.role, "content": one.content} for one in request.messages if one.role != "system"
    ]
    if not said or said[0]["role"] == "assistant":
        said.insert(0, {"role": "user", "content": "Please begin."})
    if request.shared >= WORTH_MARKING:
        words = str(said[0]["content"])
        head, rest = words[: request.shared], words[request.shared :]
        marked = {"type": "text", "text": head, "cache_control": {"type": "ephemeral"}}
        said[0]["content"] = [marked, {"type": "text", "text": rest}] if rest.strip() else [marked]
    return said


def _reply(message: Any, request: Request) -> Reply:
    import json

    tools = [block for block in message.content if block.type == "tool_use"]
    words = "".join(block.text for block in message.content if block.type == "text")
    text = json.dumps(tools[0].input, ensure_ascii=False) if tools else words
    thinking = "\n".join(
        _thought(block) for block in message.content if block.type in ("thinking", "redacted_thinking")
    )
    usage, cached = message.usage, ("cache_read_input_tokens", "cache_creation_input_tokens")
    read, written = (tokens_of(getattr(usage, name, None), 0) for name in cached)
    tokens_in = tokens_of(getattr(usage, "input_tokens", None), characters_in(request))
    return Reply(
        text=text,
        tokens_in=tokens_in + read + written,
        cached=read,
        written=written,
        tokens_out=tokens_of(getattr(usage, "output_tokens", None), len(text) + len(thinking)),
        finish=FINISH.get(str(message.stop_reason), str(message.stop_reason or "stop")),
        served=str(message.model),
        thinking=thinking,
    )


def _thought(block: Any) -> str:
    return str(getattr(block, "thinking", "") or "(not shown by the server)")
