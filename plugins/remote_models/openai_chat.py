"""`openai`: any server that speaks OpenAI's chat completions: a vendor's, vLLM, Ollama, llama.cpp ...

A lean HTTP client instead of the vendor's SDK: a tenth of the CPU time of a call. One try for one `reply`: limits, retries
and the journal are the runner's. What a server refuses is an error that names it; nothing is left out in silence.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    AnswerMode,
    Draw,
    ModelContext,
    ModelError,
    Problem,
    Reply,
    Request,
    ServerAnswer,
    ServerTerms,
    ServerTrouble,
    hookimpl,
)
from cbtrun.plugins.remote_models.extra_body import extra_body_problems
from cbtrun.plugins.remote_models.openai_batches import OpenAIBatches
from cbtrun.plugins.remote_models.openai_body import CHOSEN_HERE, request_body
from cbtrun.plugins.remote_models.openai_options import SCHEMA
from cbtrun.plugins.remote_models.openai_reply import error_text, raise_refusal, read_reply
from cbtrun.plugins.remote_models.openai_servers import ChatServers, without_address
from cbtrun.plugins.remote_models.roles import FOUND, PROBE_TOKENS, REFUSED_ROLES, TOLD, probes, shapes
from cbtrun.plugins.remote_models.server_door import ServerDoor
from cbtrun.plugins.remote_models.thinking_fields import thinking_fields

if TYPE_CHECKING:
    from cbtrun.plugin import BatchService, BlockContext, ItemAnswer, Json, Secret

PATH = "/chat/completions"
MINDS_ROLES = (400, 422, 500)
"""What servers answer to a conversation that their template cannot render."""
NOTHING_BEHIND = (500, 502, 503, 504)
"""What a gateway without a server, or a server without its engine, answers."""
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
IDENTITY = ("base_url", "model", "temperature", "top_p", "max_tokens", "seed", "stop", "extra_body", "json_object")
IDENTITY_OF_THINKING = ("thinking", "thinking_field")
"""Options that decide an answer; those that were left out do not count."""


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of a block under `models`."""
    return SCHEMA if stage == "models" else None


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Extra fields that would overrule what cbtrun itself sends, or have the server do more than answer."""
    if context.stage != "models":
        return []
    several = isinstance(context.options["base_url"], list)
    batched = several and (context.options.get("limits") or {}).get("batch")
    refused = [context.problem("batches are collected where they were handed in: name one address", "limits", "batch")]
    return [*extra_body_problems(context, CHOSEN_HERE), *_thinking_problems(context), *(refused if batched else ())]


def _thinking_problems(context: BlockContext) -> list[Problem]:
    """A setting that the server or the model does not take, as far as the study tells."""
    written = context.options["base_url"]
    fields: dict[str, Any] = {}
    try:
        for address in written if isinstance(written, list) else [written]:
            fields |= thinking_fields(context.options, address)
    except ModelError as error:
        return [context.problem(str(error), "thinking")]
    twice = [name for name in fields if name in (context.options.get("extra_body") or {})]
    return [context.problem(f"'{name}' is set by `thinking`", "extra_body", name) for name in twice]


@hookimpl
def open_model(context: ModelContext) -> ChatServer | ChatServers:
    """The model, without a word to its server yet. Raises ModelError for an address or a key that may not be used."""
    return ChatServers(context, ChatServer) if isinstance(context.options["base_url"], list) else ChatServer(context)


class ChatServer:
    """A model behind a server."""

    def __init__(self, context: ModelContext) -> None:
        options = context.options
        chosen = {name: options[name] for name in IDENTITY if options.get(name) not in (None, [], {})}
        asked = {name: options[name] for name in IDENTITY_OF_THINKING} if options.get("thinking") else {}
        self.identity: Mapping[str, Any] = {"plugin": "openai", "constrain": options["constrain"], **chosen, **asked}
        self.other_identities = (without_address(self.identity),)
        """Replies of one of several servers are this one's too, when a study goes on with it alone."""
        self.answer_mode: AnswerMode | None = options.get("answers")
        self._door = ServerDoor(context, _key_headers)
        self._shared, self._place = context.shared, f"roles {options['base_url']} {options['model']}"
        self._told = f"model '{context.name}': its server refuses the roles of a conversation"

    @property
    def terms(self) -> ServerTerms:
        """What calls to the server are held to. Raises ModelError when the address cannot be called."""
        return self._door.terms

    async def reply(self, request: Request) -> Reply:
        """One try. Raises ModelError, StopRun or ServerTrouble as the answer deserves."""
        answer = await self._answer(request, self._thinking())
        if answer.status != 200:
            raise_refusal(answer)
        return read_reply(answer.body, request)

    async def _answer(self, request: Request, thinking: Mapping[str, Any]) -> ServerAnswer:
        """The server's answer, to the request in the first shape of its messages that it takes; else its first refusal."""
        refused = None
        for shape, messages in shapes(request.messages, self._shared.get(self._place, 0)):
            answer = await self._posted(replace(request, messages=messages), thinking)
            if answer.status == 200:
                self._keep_to(shape, refused)
            if answer.status not in MINDS_ROLES or not REFUSED_ROLES.search(error_text(answer.body)):
                return answer
            refused = refused or answer
        return refused or answer

    async def answers(self) -> bool:
        """Whether the server is there, by its list of models: whatever it says, but that there is nothing behind it."""
        try:
            answer = await self._door.glance("/models")
        except ServerTrouble:
            return False
        return answer.status not in NOTHING_BEHIND

    async def roles(self) -> str:
        """What roles the server takes, by a call of a few tokens, or as many as it refuses. Raises as `reply`."""
        thinking, refused = self._thinking(), ""
        for found, messages in zip(FOUND, probes(), strict=True):
            answer = await self._posted(Request(messages, Draw("doctor", ""), max_tokens=PROBE_TOKENS), thinking)
            if answer.status == 200:
                return found
            if answer.status not in MINDS_ROLES or not REFUSED_ROLES.search(error_text(answer.body)):
                raise_refusal(answer)
            refused = refused or error_text(answer.body)
        raise ModelError(f"the server refuses each shape of a conversation: {refused}")

    def _thinking(self) -> Mapping[str, Any]:
        try:
            return thinking_fields(self._door.options, self._door.url)
        except ModelError as error:
            raise ModelError(f"`thinking` {error}") from None

    async def _posted(self, request: Request, thinking: Mapping[str, Any]) -> ServerAnswer:
        transport, body = self._door.transport, request_body(request, self._door.options, thinking)
        return await transport.ask("POST", transport.url + PATH, HEADERS, body)

    def _keep_to(self, shape: int, refused: ServerAnswer | None) -> None:
        """Send all that follows in this run as the server took it, and tell so once."""
        if refused is None or shape <= self._shared.get(self._place, 0):
            return
        self._shared[self._place] = shape
        said = error_text(refused.body)
        sys.stderr.write(f"note: {self._told} ({refused.status}: {said}): {TOLD[shape]}\n")

    def batch_service(self) -> BatchService:
        """OpenAI's batches at the same address."""
        return OpenAIBatches(self._door, PATH)

    async def batch_body(self, request: Request) -> bytes:
        """The request as a direct call sends it, in the shape of messages that the server is known to take."""
        _, messages = next(shapes(request.messages, self._shared.get(self._place, 0)))
        return request_body(replace(request, messages=messages), self._door.options, self._thinking())

    async def batch_reply(self, request: Request, answer: ItemAnswer) -> Reply:
        """The reply in an answer of a batch."""
        if answer.status != 200:
            raise_refusal(ServerAnswer(answer.status, {}, answer.body.encode("utf-8", "replace")))
        return read_reply(answer.body.encode("utf-8", "replace"), request)

    async def close(self) -> None:
        """Close the connections."""
        await self._door.close()


def _key_headers(secret: Secret) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {secret.reveal()}"}
