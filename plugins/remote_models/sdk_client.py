"""A vendor's SDK on our own transport: it builds requests and reads answers, and never meets the network or the key.

The SDK's HTTP client (httpx or httpx2, by its version) is given a transport that hands every request to ours. So
redirects, proxies, retries and limits are the same for all vendors whatever an SDK does by itself, and what it logs
cannot hold the key: it knows a placeholder.
"""

from __future__ import annotations

import json
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import CbtrunError, ServerAnswer, ServerFault, ServerTrouble
from cbtrun.plugins.remote_models.openai_reply import raise_refusal, read_json, short

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cbtrun.plugin import ItemAnswer, Reply
    from cbtrun.plugins.remote_models.server_door import ServerDoor

PLACEHOLDER = "the-key-is-added-by-cbtrun"
"""What an SDK is given for a key."""
HEADERS = ("accept", "anthropic-beta", "anthropic-version", "content-type", "user-agent", "x-goog-api-client")
"""Headers of an SDK that are sent on: no others, since an SDK takes further keys and cookies from the environment."""


@dataclass
class _Tape:
    """What an SDK would send, taken down instead, and what it is told for an answer."""

    answer: ServerAnswer
    body: bytes = b""


_tape: ContextVar[_Tape | None] = ContextVar("cbtrun_sdk_tape", default=None)


async def taped_body(reply: Callable[[], Awaitable[Reply]]) -> bytes:
    """The body of the request that `reply` would send by its SDK. Nothing is sent. Raises what it raises before it sends."""
    tape = _Tape(ServerAnswer(200, {}, b"{}"))
    token = _tape.set(tape)
    try:
        await reply()
    except Exception:  # of the empty answer, mostly
        if not tape.body:
            raise
    finally:
        _tape.reset(token)
    return tape.body


async def taped_reply(reply: Callable[[], Awaitable[Reply]], answer: ItemAnswer) -> Reply:
    """What `reply` makes of an answer that came by another way. Nothing is sent."""
    token = _tape.set(_Tape(ServerAnswer(answer.status, {}, answer.body.encode("utf-8", "replace"))))
    try:
        return await reply()
    finally:
        _tape.reset(token)


class SdkTransport:
    """What httpx asks of a transport. No class of httpx itself: one SDK brings httpx, another httpx2."""

    def __init__(self, door: ServerDoor) -> None:
        self._door = door

    async def handle_async_request(self, request: Any) -> Any:
        """The answer to a request of the SDK, when it is a 200 with JSON in it. Raises what `raise_refusal` raises."""
        httpx = sys.modules[type(request).__module__.partition(".")[0]]  # httpx, or the fork that the SDK stands on
        if (tape := _tape.get()) is not None:
            tape.body = await request.aread()
            answer = tape.answer
            if answer.status != 200:
                raise_refusal(answer)
            headers = {"Content-Type": "application/json"}
            return httpx.Response(200, headers=headers, content=_readable(answer.body), request=request)
        headers = {name: value for name, value in request.headers.items() if name.lower() in HEADERS}
        answer = await self._door.transport.ask(request.method, str(request.url), headers, await request.aread())
        if answer.status != 200:
            raise_refusal(answer)
        # Its own headers stay behind: an SDK would read the body by the alphabet that they claim.
        headers = {"Content-Type": "application/json"}
        return httpx.Response(200, headers=headers, content=_readable(answer.body), request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._door.close()

    async def __aenter__(self) -> SdkTransport:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _readable(body: bytes) -> bytes:
    """A body that is JSON, without lone surrogates, at which pydantic gives up. Raises ServerFault when it is no JSON."""
    content = read_json(body)
    if b"\\ud" not in body.lower():
        return body
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


def client_options(door: ServerDoor) -> dict[str, Any]:
    """Options of an SDK's HTTP client: our transport, and belt and braces, since it has nothing else to go by."""
    return {"transport": SdkTransport(door), "follow_redirects": False, "trust_env": False}


def told_by_sdk(error: Exception) -> Exception:
    """What an SDK's error means: ours where one of ours is behind it, else a fault that says what could not be read."""
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, CbtrunError | ServerTrouble):
            return behind
        behind = behind.__cause__ or behind.__context__
    name = type(error).__name__
    # What pydantic says quotes the answer, in part, and a part of a key cannot be told for one.
    words = "" if type(error).__module__.startswith("pydantic") or isinstance(error, KeyError) else short(str(error))
    return ServerFault(f"the answer cannot be read: {name}{words and f': {words}'}")
