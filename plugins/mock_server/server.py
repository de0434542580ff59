"""The mock server: answers, delays and fails by instruction, and counts what it was asked.

`async with MockServer([...]) as server` gives `server.url`; `python -m cbtrun.plugins.mock_server` is a process of its
own, asked about its calls at /stats.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import ModelError
from cbtrun.plugins.mock_server.answers import default_answer
from cbtrun.plugins.mock_server.batch_protocols import BatchDoor
from cbtrun.plugins.mock_server.batches import BatchShop
from cbtrun.plugins.mock_server.faults import MIB, TRANSIENT, Fault, fail, spoiled_answer
from cbtrun.plugins.mock_server.prefix_cache import CacheUse, PrefixCache
from cbtrun.plugins.mock_server.protocols import Body, Vendor, read_body, vendor_of, write_answer

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Answerer", "BatchShop", "Fault", "MockServer", "default_answer"]

Answerer = Callable[[Body], str | Awaitable[str]]
"""What answers: a request as OpenAI's body -> words. A ModelError is told to the client as a refusal (422)."""


@dataclass
class MockServer:
    """The server. Each of `faults` is met by one call, in order (None: no fault); later calls are answered."""

    faults: Iterable[Fault | None] = ()
    answer: Answerer = default_answer
    latency: float = 0.0
    """Seconds before every answer."""
    seconds_per_token: float = 0.0
    """Further seconds for each token (word) of an answer."""
    fault_rate: float = 0.0
    """Share of calls that meets a transient fault, drawn from `seed`."""
    seed: int = 0
    usage: Mapping[str, Any] | None = None
    """Replaces the usage that is reported."""
    serials: bool = False
    """End every answer with a number of its own, by which a test can tell which answers were kept."""
    remember: bool = True
    """Keep bodies and headers; a soak does not."""
    models: tuple[str, ...] = ()
    """Names that its list of models has; a completion is given under any name."""
    changes: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    """Number of a call, from 1 -> model and fingerprint that answers state from then on: a model changed behind its name."""
    key: str | None = None
    """The only key that its list of models takes; none takes any."""
    port: int = 0
    """To listen on; 0 takes a free one."""
    shop: BatchShop = field(default_factory=BatchShop)
    """Its batches."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0

    def __post_init__(self) -> None:
        """Nothing served yet."""
        self._faults = iter(self.faults)
        self._random = random.Random(self.seed)
        self._runner: web.AppRunner | None = None
        self.answered: dict[str, list[int]] = {}
        """Digest of a body -> serial numbers of its answers."""
        self.cache = PrefixCache()
        self.cached: list[CacheUse] = []
        """What each answer found in the cache of prompts."""
        self._door = BatchDoor(self.shop, self._completed)
        self.met: Counter[str] = Counter()
        self.calls = 0
        self._serial = 0
        self.url = ""
        """Address of OpenAI's protocol, up to /chat/completions."""
        self.root = ""
        """Address of Google's and Anthropic's protocols."""

    async def __aenter__(self) -> MockServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def mend(self) -> None:
        """Meet no more of the faults that were to come."""
        self._faults = iter(())

    async def start(self) -> None:
        """Listen on loopback."""
        from aiohttp import web

        app = web.Application(client_max_size=64 * MIB)
        app.router.add_get("/stats", self._stats)
        app.router.add_get("/calls", self._count)
        app.router.add_get("/{path:.*}", self._get)
        app.router.add_post("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=1024)
        await site.start()
        self.root = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.url = f"{self.root}/v1"

    async def stop(self) -> None:
        """Close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _stats(self, _: web.Request) -> web.Response:
        from aiohttp import web

        found = {"calls": self.calls, "answered": self.answered, "met": dict(self.met), "most": self.most_under_way}
        return web.json_response(found)

    async def _count(self, _: web.Request) -> web.Response:
        from aiohttp import web

        return web.Response(text=str(self.calls))

    async def _get(self, request: web.Request) -> web.StreamResponse:
        return await self._door.answer(request, b"") or await self._models(request)

    async def _models(self, request: web.Request) -> web.Response:
        """The list of models in OpenAI's form, or one of them as Google and Anthropic give it."""
        from aiohttp import web

        sent = [value.removeprefix("Bearer ") for value in map(str, request.headers.values())]
        if self.key is not None and self.key not in sent:
            return web.json_response({"error": {"message": "invalid key"}}, status=401)
        _, listed, name = request.path.rpartition("/models")
        if listed and not name:
            return web.json_response({"data": [{"id": one} for one in self.models]})
        if listed and name.removeprefix("/") in self.models:
            return web.json_response({"id": name.removeprefix("/"), "name": f"models{name}"})
        return web.json_response({"error": {"message": f"not found: {request.path}"}}, status=404)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        if (answer := await self._door.answer(request, raw)) is not None:
            return answer
        self.calls += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._met(request, raw)
        finally:
            self.under_way -= 1

    async def _met(self, request: web.Request, raw: bytes) -> web.StreamResponse:
        """A fault, or the answer."""
        from aiohttp import web

        vendor, sent = vendor_of(request.path), json.loads(raw)
        if vendor is None:
            return web.json_response({"error": {"message": f"no such address: {request.path}"}}, status=404)
        if self.remember:
            self.bodies.append(sent)
            self.headers.append(dict(request.headers))
        body = {**read_body(vendor, request.path, sent), **self._named(self.calls)}
        if self.latency:
            await asyncio.sleep(self.latency)
        fault = next(self._faults, None) or self._drawn()
        if fault is not None:
            self.met[fault.kind] += 1
            text, finish = spoiled_answer(fault.kind)
            return await fail(fault, request, write_answer(vendor, body, text, finish, self.usage))
        try:
            text = await self._words(raw, body)
        except ModelError as error:
            return web.json_response({"error": {"message": str(error)}}, status=422)
        return web.json_response(self._written(vendor, body, text))

    def _written(self, vendor: Vendor, body: Body, text: str) -> dict[str, Any]:
        self.cached.append(self.cache.use(body))
        return write_answer(vendor, body, text, usage=self.usage, cache=self.cached[-1])

    async def _completed(self, vendor: Vendor, path: str, sent: Any) -> dict[str, Any]:
        """The answer to a request of a batch."""
        body = read_body(vendor, path, sent)
        return self._written(vendor, body, await self._words(json.dumps(sent, sort_keys=True).encode(), body))

    def _named(self, call: int) -> Mapping[str, str]:
        """Model and fingerprint that the answer to a call states; its own name where nothing has changed yet."""
        since = max((first for first in self.changes if first <= call), default=None)
        return {} if since is None else dict(zip(("served", "fingerprint"), self.changes[since], strict=True))

    def _drawn(self) -> Fault | None:
        if not self.fault_rate or self._random.random() >= self.fault_rate:
            return None
        return Fault(self._random.choice(TRANSIENT))

    async def _words(self, raw: bytes, body: Body) -> str:
        made = self.answer(body)
        text = await made if inspect.isawaitable(made) else made
        if self.seconds_per_token:
            await asyncio.sleep(self.seconds_per_token * len(text.split()))
        if self.serials:
            self._serial += 1
            self.answered.setdefault(hashlib.sha256(raw).hexdigest()[:20], []).append(self._serial)
            text = f"{text} #{self._serial}"
        return text
