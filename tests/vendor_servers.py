"""Loopback servers that speak the native APIs of Anthropic and Google, as far as the plugins use them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web


class VendorServer:
    """Answers `replies` in order: a status with a body, or words, or the input of a tool call."""

    def __init__(self, vendor: str, replies: list[Any], headers: Mapping[str, str] | None = None) -> None:
        self.vendor, self.replies, self.sent_headers = vendor, list(replies), dict(headers or {})
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.url = ""

    async def __aenter__(self) -> VendorServer:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.headers.append(dict(request.headers))
        reply = self.replies.pop(0)
        if reply == "drop":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if isinstance(reply, tuple):
            return web.json_response(reply[1], status=reply[0], headers=self.sent_headers)
        made = _anthropic(reply) if self.vendor == "anthropic" else _google(reply)
        return web.Response(text=json.dumps(made), content_type="application/json")


def _anthropic(reply: Any) -> dict[str, Any]:
    block = (
        {"type": "text", "text": reply}
        if isinstance(reply, str)
        else {"type": "tool_use", "id": "t", "name": "answer", "input": reply}
    )
    usage = {"input_tokens": 7, "output_tokens": 3}
    reason = "end_turn" if isinstance(reply, str) else "tool_use"
    made = {"id": "m", "type": "message", "role": "assistant", "model": "claude-1", "content": [block]}
    return {**made, "stop_reason": reason, "stop_sequence": None, "usage": usage}


def _google(reply: Any) -> dict[str, Any]:
    part = {"text": reply} if isinstance(reply, str) else {"functionCall": {"name": "answer", "args": reply}}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 2, "thoughtsTokenCount": 1, "totalTokenCount": 10}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-1"}
