"""Loopback servers that speak the native APIs of Anthropic and Google, as far as the plugins use them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from cbtrun.plugins.mock_server.protocols import Vendor, write_answer

USAGE: dict[Vendor, dict[str, int]] = {
    "anthropic": {"input_tokens": 7, "output_tokens": 3},
    "google": {"promptTokenCount": 7, "candidatesTokenCount": 2, "thoughtsTokenCount": 1, "totalTokenCount": 10},
}


class VendorServer:
    """Answers `replies` in order: a status with a body, or words, or the input of a tool call."""

    def __init__(self, vendor: Vendor, replies: list[Any], headers: Mapping[str, str] | None = None) -> None:
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
        return web.json_response(self._answer(reply))

    def _answer(self, reply: Any) -> dict[str, Any]:
        """Words, or the input of a tool call, with seven tokens in and three out."""
        body = {"model": "big", "messages": []} | ({} if isinstance(reply, str) else {"tools": ["answer"]})
        text = reply if isinstance(reply, str) else json.dumps(reply)
        return write_answer(self.vendor, body, text, usage=USAGE[self.vendor])
