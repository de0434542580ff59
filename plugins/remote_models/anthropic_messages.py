"""`anthropic`: Claude through Anthropic's own SDK, an optional extra (`pip install "cbtrun[anthropic]"`).

The SDK's own retries are off: limits, retries and the journal are the runner's. What the API refuses is an error that
names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cbtrun.calls.addresses import server_of
from cbtrun.calls.server_terms import ServerTerms, terms_of
from cbtrun.errors import ModelError, ServerFault
from cbtrun.hookspecs import hookimpl
from cbtrun.models import AnswerMode, ModelContext, Reply, Request
from cbtrun.plugins.remote_models.extra_body import extra_body_problems
from cbtrun.plugins.remote_models.openai_reply import Answer, raise_refusal
from cbtrun.plugins.remote_models.vendor_options import hidden, lacking_sdk, missing_extra, vendor_schema

if TYPE_CHECKING:
    from cbtrun.context import BlockContext
    from cbtrun.errors import Problem
    from cbtrun.records import Json

DEFAULT_URL = "https://api.anthropic.com"
IDENTITY = ("base_url", "model", "temperature", "top_p", "max_tokens", "stop", "extra_body")
FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "stop",
    "max_tokens": "length",
    "refusal": "content_filter",
}
TOOL = "answer"


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of a block under `models`."""
    return vendor_schema("Claude", DEFAULT_URL, "ANTHROPIC_API_KEY", "claude-...") if stage == "models" else None


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Extra fields that would change what is asked, or have the server do more than answer."""
    return extra_body_problems(context) if context.stage == "models" else []


@hookimpl
def lacking_here(context: BlockContext) -> list[str]:
    """The SDK, where it is not installed."""
    return lacking_sdk("anthropic", "anthropic") if context.stage == "models" else []


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
        self.answer_mode: AnswerMode = options.get("answers") or "TOOLS"
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
        import anthropic

        try:
            message = await client.messages.create(**_fields(request, self._options))
        except anthropic.APIStatusError as error:
            body = hidden(self._secret, error.response.text).encode()
            raise_refusal(Answer(error.status_code, error.response.headers, body))
        except anthropic.APIConnectionError as error:  # its timeouts too
            raise ServerFault(hidden(self._secret, f"connection failed: {error}")) from None
        except (anthropic.APIError, ValueError, TypeError) as error:
            raise ServerFault(hidden(self._secret, f"the answer cannot be read: {error}")) from None
        return _reply(message, self._secret)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _opened(self) -> Any:
        try:
            import anthropic
        except ImportError:
            raise missing_extra("anthropic") from None
        url = self._keys.address(self._options["base_url"])
        self._secret = self._keys.key(self._options["api_key_env"], url)
        timeout = self._options["timeout_seconds"]
        http = anthropic.DefaultAsyncHttpxClient(follow_redirects=False, timeout=timeout)
        self._client = anthropic.AsyncAnthropic(
            api_key=self._secret.reveal(), base_url=url, max_retries=0, timeout=timeout, http_client=http
        )
        return self._client


def _fields(request: Request, options: Mapping[str, Any]) -> dict[str, Any]:
    system = "\n\n".join(one.content for one in request.messages if one.role == "system")
    most = request.max_tokens or options.get("max_tokens")
    if most is None:
        raise ModelError("Anthropic's API wants a bound on the reply: set max_tokens")
    body: dict[str, Any] = {"system": system} if system else {}
    body |= {name: options[name] for name in ("temperature", "top_p") if options.get(name) is not None}
    if stop := list(dict.fromkeys((*options["stop"], *request.stop))):
        body["stop_sequences"] = stop
    if request.schema is not None:
        body |= _answer_fields(request)
    body |= options["extra_body"]
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


def _messages(request: Request) -> list[dict[str, str]]:
    """The conversation: it has to begin with the user, who is asked to begin where nobody has spoken."""
    said = [{"role": one.role, "content": one.content} for one in request.messages if one.role != "system"]
    if not said or said[0]["role"] == "assistant":
        said.insert(0, {"role": "user", "content": "Please begin."})
    return said


def _reply(message: Any, secret: Any) -> Reply:
    import json

    tools = [block for block in message.content if block.type == "tool_use"]
    words = "".join(block.text for block in message.content if block.type == "text")
    text = json.dumps(tools[0].input, ensure_ascii=False) if tools else words
    usage = message.usage
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return Reply(
        text=hidden(secret, text),
        tokens_in=usage.input_tokens + cached,
        tokens_out=usage.output_tokens,
        finish=FINISH.get(str(message.stop_reason), str(message.stop_reason or "stop")),
        served=str(message.model),
    )
