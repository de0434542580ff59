"""A chat-completions server on loopback that answers, delays and fails by instruction.

In a test: `async with MockServer([...]) as server` gives `server.url`. As a process of its own (`python
tests/mock_server.py --port-file F`) it is asked about its calls at /stats.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

Body = Mapping[str, Any]
MIB = 2**20


@dataclass(frozen=True)
class Fault:
    """What a call meets instead of an answer."""

    kind: str
    """One of KINDS."""
    seconds: float = 0.0
    """Of Retry-After, of a hang, or between two bytes of a drip."""


KINDS = [
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
]
TRANSIENT = ("429", "500", "502", "503", "drop", "drop-mid-body", "truncated-json", "wrong-schema")
"""Faults after which asking again is right, none of which takes long: what a soak mixes in."""


@dataclass
class MockServer:
    """The server. Each of `faults` is met by one call, in order (None: no fault); later calls are answered."""

    faults: Iterable[Fault | None] = ()
    answer: Callable[[Body], str] = field(default=lambda body: default_answer(body))
    latency: float = 0.0
    fault_rate: float = 0.0
    """Share of calls that meets a transient fault, drawn from `seed`."""
    seed: int = 0
    usage: Mapping[str, Any] | None = None
    """Replaces the usage that is reported."""
    serials: bool = False
    """End every answer with a number of its own, by which a test can tell which answers were kept."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    remember: bool = True
    """Keep bodies and headers; a soak does not."""

    def __post_init__(self) -> None:
        """Nothing served yet."""
        self._faults = iter(self.faults)
        self._random = random.Random(self.seed)
        self._runner: web.AppRunner | None = None
        self.answered: dict[str, list[int]] = {}
        """Digest of a body -> serial numbers of its answers."""
        self.met: Counter[str] = Counter()
        self.calls = 0
        self._serial = 0
        self.url = ""

    async def __aenter__(self) -> MockServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def mend(self) -> None:
        """Meet no more of the faults that were to come."""
        self._faults = iter(())

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        app = web.Application(client_max_size=64 * MIB)
        app.router.add_post("/v1/chat/completions", self._serve)
        app.router.add_get("/stats", self._stats)
        app.router.add_get("/calls", self._count)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/v1"

    async def stop(self) -> None:
        """Close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _stats(self, _: web.Request) -> web.Response:
        found = {"calls": self.calls, "answered": self.answered, "met": dict(self.met), "most": self.most_under_way}
        return web.json_response(found)

    async def _count(self, _: web.Request) -> web.Response:
        return web.Response(text=str(self.calls))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw)
        self.calls += 1
        if self.remember:
            self.bodies.append(body)
            self.headers.append(dict(request.headers))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            fault = next(self._faults, None) or self._drawn()
            if fault is not None:
                self.met[fault.kind] += 1
                return await self._fail(fault, request, body)
            return self._answered(raw, body)
        finally:
            self.under_way -= 1

    def _drawn(self) -> Fault | None:
        if not self.fault_rate or self._random.random() >= self.fault_rate:
            return None
        return Fault(self._random.choice(TRANSIENT))

    def _answered(self, raw: bytes, body: Body) -> web.Response:
        text = self.answer(body)
        if self.serials:
            self._serial += 1
            self.answered.setdefault(hashlib.sha256(raw).hexdigest()[:20], []).append(self._serial)
            text = f"{text} #{self._serial}"
        return web.json_response(self._completion(body, text))

    def _completion(self, body: Body, text: str, finish: str = "stop") -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if body.get("tools"):
            call = {"id": "c1", "type": "function", "function": {"name": "answer", "arguments": text}}
            message, finish = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
        words = sum(len(one["content"].split()) for one in body["messages"])
        counts = {"prompt_tokens": words, "completion_tokens": len(text.split())}
        usage = {**counts, "total_tokens": sum(counts.values())} if self.usage is None else self.usage
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return {
            "id": "c",
            "object": "chat.completion",
            "created": 0,
            "model": f"{body['model']}-0901",
            "choices": [choice],
            "usage": usage,
        }

    async def _fail(self, fault: Fault, request: web.Request, body: Body) -> web.StreamResponse:
        kind = fault.kind
        if kind.isdigit():
            return self._status(int(kind), fault)
        if kind == "hang":
            await asyncio.sleep(fault.seconds)
            return web.json_response(self._completion(body, "too late"))
        if kind in ("drop", "drop-mid-body", "drip"):
            return await self._break_off(fault, request, body)
        if kind == "redirect":
            return web.Response(status=307, headers={"Location": "http://elsewhere.example/v1/chat/completions"})
        if kind == "echo":  # a server that sends back what it was sent, key and all
            said = f"bad credentials: {request.headers.get('Authorization')}"
            return web.json_response({"error": {"message": said}}, status=400)
        texts = {
            "truncated-json": json.dumps(self._completion(body, "half"))[:40],
            "wrong-schema": json.dumps({"choices": "none today"}),
            "empty": json.dumps(self._completion(body, "")),
            "content-filter": json.dumps(self._completion(body, "", "content_filter")),
            "huge": json.dumps(self._completion(body, "x" * (3 * MIB))),
            "error-in-200": json.dumps({"error": {"code": 502, "message": "upstream is away"}}),
            "no-json": "<html>Bad gateway</html>",
        }
        return web.Response(text=texts[kind], content_type="application/json")

    def _status(self, status: int, fault: Fault) -> web.Response:
        headers = {"Retry-After": f"{fault.seconds:g}"} if fault.seconds else {}
        error: dict[str, Any] = {"message": f"mock says {status}", "type": "mock"}
        if status == 400:
            error = {"message": "Unsupported parameter: 'top_p'", "param": "top_p", "code": "unsupported_parameter"}
        return web.json_response({"error": error}, status=status, headers=headers)

    async def _break_off(self, fault: Fault, request: web.Request, body: Body) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        if fault.kind == "drop":
            transport.abort()
            return web.Response()
        whole = json.dumps(self._completion(body, "broken off")).encode()
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


def default_answer(body: Body) -> str:
    """A rating for a rating request, words that depend on the request otherwise. The same body, the same answer."""
    last = str(body["messages"][-1]["content"])
    if asked := re.search(
        r"^Items: (.+)$", str(body["messages"][min(1, len(body["messages"]) - 1)]["content"]), re.MULTILINE
    ):
        return rating([item.strip() for item in asked.group(1).split(",")])
    mark = hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()[:8]
    return (
        f"I hear that, and I want to stay with it for a moment. What went through your mind then ({mark}, {len(last)})?"
    )


def rating(items: Iterable[str], score: int = 0) -> str:
    """A valid rating of every item as absent."""
    one = {"rationale": "Nothing of it.", "evidence": [], "absent": score == 0, "score": score, "unscored_reason": None}
    return json.dumps({"items": dict.fromkeys(items, one)})


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--fault-rate", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--serials", action="store_true")
    parser.add_argument("--port-file", type=Path, required=True)
    options = parser.parse_args()
    server = MockServer(
        latency=options.latency,
        fault_rate=options.fault_rate,
        seed=options.seed,
        serials=options.serials,
        remember=False,
    )
    await server.start()
    part = options.port_file.with_suffix(".part")
    part.write_text(server.url)
    part.replace(options.port_file)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
