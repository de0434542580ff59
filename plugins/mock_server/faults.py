"""The faults that a call to the mock server may meet, and how each looks on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.plugins.mock_server.broken_http import BROKEN_HTTP
from cbtrun.plugins.mock_server.echoes import ECHOES, echoed, key_in

if TYPE_CHECKING:
    from aiohttp import web

MIB = 2**20


@dataclass(frozen=True)
class Fault:
    """What a call meets instead of an answer."""

    kind: str
    """One of KINDS."""
    seconds: float = 0.0
    """Of Retry-After, of a hang, or between two bytes of a drip."""
    retry_after: str = ""
    """Retry-After in the server's own words, such as `0` or a date."""


KINDS = (
    "429",
    "500",
    "502",
    "503",
    "hang",
    "drop",
    "drop-mid-body",
    "truncated-json",
    "wrong-schema",
    "empty",
    "content-filter",
    "huge",
    "drip",
    "error-in-200",
    "no-json",
    "400",
    "401",
    "402",
    "404",
    "redirect",
    "echo",
    *ECHOES,
    *BROKEN_HTTP,
)
TRANSIENT = ("429", "500", "502", "503", "drop", "drop-mid-body", "truncated-json", "wrong-schema")
"""Faults after which asking again is right, none of which takes long: what a soak mixes in."""
WITH_WORDS = {"hang": "too late", "drop-mid-body": "broken off", "drip": "broken off", "truncated-json": "half"}
"""Fault -> the words of the answer that it spoils."""


def spoiled_answer(kind: str) -> tuple[str, str]:
    """The words of the answer that a fault spoils, and the reason for which it ended."""
    if kind == "huge":
        return "x" * (3 * MIB), "stop"
    return WITH_WORDS.get(kind, ""), "content_filter" if kind == "content-filter" else "stop"


async def fail(fault: Fault, request: web.Request, answer: Mapping[str, Any]) -> web.StreamResponse:
    """What the call gets. answer: the body of the answer that the fault spoils."""
    from aiohttp import web

    kind = fault.kind
    if kind.isdigit():
        return _status(int(kind), fault)
    if kind in ("drop", "drop-mid-body", "drip"):
        return await _break_off(fault, request, json.dumps(answer).encode())
    if kind in ECHOES:
        return _raw(request, echoed(kind, key_in(request.headers), answer))
    if kind in BROKEN_HTTP:
        return _raw(request, BROKEN_HTTP[kind])
    if kind == "redirect":
        return web.Response(status=307, headers={"Location": "http://elsewhere.example/v1/chat/completions"})
    if kind == "echo":  # a server that sends back what it was sent, key and all
        said = f"bad credentials: {request.headers.get('Authorization')}"
        return web.json_response({"error": {"message": said}}, status=400)
    if kind == "hang":
        await asyncio.sleep(fault.seconds)
    texts = {
        "truncated-json": json.dumps(answer)[:40],
        "wrong-schema": json.dumps({"choices": "none today"}),
        "error-in-200": json.dumps({"error": {"code": 502, "message": "upstream is away"}}),
        "no-json": "<html>Bad gateway</html>",
    }
    return web.Response(text=texts.get(kind, json.dumps(answer)), content_type="application/json")


def _raw(request: web.Request, written: bytes) -> web.Response:
    """Bytes as they are, then the end of the connection."""
    from aiohttp import web

    transport = request.transport
    assert transport is not None
    transport.write(written)
    transport.close()
    return web.Response()


def _status(status: int, fault: Fault) -> web.Response:
    from aiohttp import web

    wait = fault.retry_after or (f"{fault.seconds:g}" if fault.seconds else "")
    headers = {"Retry-After": wait} if wait else {}
    error: dict[str, Any] = {"message": f"mock says {status}", "type": "mock"}
    if status == 400:
        error = {"message": "Unsupported parameter: 'top_p'", "param": "top_p", "code": "unsupported_parameter"}
    return web.json_response({"error": error}, status=status, headers=headers)


async def _break_off(fault: Fault, request: web.Request, whole: bytes) -> web.StreamResponse:
    from aiohttp import web

    transport = request.transport
    assert transport is not None
    if fault.kind == "drop":
        transport.abort()
        return web.Response()
    response = web.StreamResponse(headers={"Content-Length": str(len(whole)), "Content-Type": "application/json"})
    await response.prepare(request)
    if fault.kind == "drip":
        for byte in whole:
            await response.write(bytes([byte]))
            await asyncio.sleep(fault.seconds)
        return response
    await response.write(whole[: len(whole) // 2])
    transport.abort()
    return response
