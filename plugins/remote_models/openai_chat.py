"""`openai`: any server that speaks OpenAI's chat completions: a vendor's, vLLM, Ollama, llama.cpp ...

A lean HTTP client instead of the vendor's SDK: a tenth of the CPU time of a call. One try for one `reply`: limits, retries
and the journal are the runner's. What a server refuses is an error that names it; nothing is left out in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cbtrun.calls.addresses import server_of
from cbtrun.calls.server_terms import ServerTerms, terms_of
from cbtrun.errors import AccessRefused, Problem, ServerFault
from cbtrun.hookspecs import hookimpl
from cbtrun.models import AnswerMode, ModelContext, Reply, Request
from cbtrun.plugins.remote_models.extra_body import extra_body_problems
from cbtrun.plugins.remote_models.openai_body import CHOSEN_HERE, request_body
from cbtrun.plugins.remote_models.openai_options import SCHEMA
from cbtrun.plugins.remote_models.openai_reply import Answer, raise_refusal, read_reply

if TYPE_CHECKING:
    import aiohttp

    from cbtrun.calls.secrets import Secret
    from cbtrun.context import BlockContext
    from cbtrun.records import Json

PATH = "/chat/completions"
IDENTITY = ("base_url", "model", "temperature", "top_p", "max_tokens", "seed", "stop", "extra_body", "json_object")
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
    return extra_body_problems(context, CHOSEN_HERE)


@hookimpl
def open_model(context: ModelContext) -> ChatServer:
    """The model, without a word to its server yet. Raises ModelError for an address or a key that may not be used."""
    return ChatServer(context)


class ChatServer:
    """A model behind a server."""

    def __init__(self, context: ModelContext) -> None:
        options = context.options
        chosen = {name: options[name] for name in IDENTITY if options.get(name) not in (None, [], {})}
        self.identity: Mapping[str, Any] = {"plugin": "openai", "constrain": options["constrain"], **chosen}
        self.answer_mode: AnswerMode | None = options.get("answers")
        self._options = options
        self._keys = context.keys
        self._session: aiohttp.ClientSession | None = None
        self._secret: Secret | None = None
        self._url = ""
        self._terms: ServerTerms | None = None

    @property
    def terms(self) -> ServerTerms:
        """What calls to the server are held to. Raises ModelError when the address cannot be called."""
        if self._terms is None:
            self._url = self._keys.address(self._options["base_url"])
            self._terms = terms_of(self._options, server_of(self._url))
        return self._terms

    async def reply(self, request: Request) -> Reply:
        """One try. Raises ModelError, StopRun or ServerTrouble as the answer deserves."""
        answer = await self._post(request_body(request, self._options))
        if answer.status != 200:
            raise_refusal(answer)
        reply = read_reply(answer.body, request)
        return reply if self._secret is None else _without(self._secret, reply)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, body: bytes) -> Answer:
        """Status, headers and body of the answer, the key taken out.

        Raises ServerFault when there is no whole answer, AccessRefused for a certificate that is not trusted.
        """
        import aiohttp

        session = self._session or self._opened()
        try:
            async with session.post(self._url + PATH, data=body, allow_redirects=False) as response:
                content = await self._read(response)
                answer = Answer(response.status, response.headers, content)
        except TimeoutError:
            raise ServerFault(f"no whole answer within {self._options['timeout_seconds']:g} s") from None
        except aiohttp.ClientSSLError as error:
            raise AccessRefused(f"no trusted connection: {error}. Nothing was sent") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ServerFault(f"connection failed: {type(error).__name__}: {error}") from None
        return answer if self._secret is None else answer.without(self._secret)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        limit = int(self._options["max_reply_mib"] * 2**20)
        if response.content_length is not None and response.content_length <= limit:
            return await response.read()
        parts, size = [], 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > limit:
                response.close()
                raise ServerFault(f"the answer is longer than max_reply_mib ({self._options['max_reply_mib']:g} MiB)")
        return b"".join(parts)

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        limits = self.terms.limits  # expands the address
        self._secret = self._keys.key(self._options.get("api_key_env"), self._url)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._secret is not None:
            headers["Authorization"] = f"Bearer {self._secret.reveal()}"
        timeout = aiohttp.ClientTimeout(
            total=self._options["timeout_seconds"], sock_connect=self._options["connect_seconds"]
        )
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limits.concurrency),
            headers=headers,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self._session


def _without(secret: Secret, reply: Reply) -> Reply:
    from dataclasses import replace

    shown = secret.hide(reply.text)
    return reply if shown == reply.text else replace(reply, text=shown)
