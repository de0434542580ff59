"""What a study says about a server: limits and prices. server_gate.py keeps to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from cbtrun.calls.price_list import listed_prices
from cbtrun.contract.models import Reply
from cbtrun.contract.records import Json
from cbtrun.contract.thinking_option import thinking_room

HALF = 0.5
"""What OpenAI, Anthropic and Google ask for a request in a batch, as a share of the price of one by itself."""


@runtime_checkable
class HasTerms(Protocol):
    """A model behind a server: its calls are limited and retried together with all others to that server."""

    @property
    def terms(self) -> ServerTerms:
        """What the study says about the server; made once, since the gate knows a server's terms by identity."""


@dataclass(frozen=True)
class ServerLimits:
    """What a server may be asked for, and how patient we are with it."""

    concurrency: int = 64
    """Calls under way at once."""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    """Tokens in and out together."""
    tries: int = 6
    """Tries of one call that meets faults; waits for 429 do not count."""
    first_wait_seconds: float = 1.0
    """Wait before the second try; doubled for each further one."""
    longest_wait_seconds: float = 60.0
    patience_seconds: float = 900.0
    """How long one call may be put off by 429 altogether."""
    batch: bool | None = None
    """Whether stages without turns hand their calls in by batches; none leaves it to the study."""
    batch_poll_seconds: float = 30.0
    """How long between two looks at a batch."""
    faults_to_stop: int = 20
    """Failures in a row, over all calls, after which the server may count as down."""


def strictest(one: ServerLimits, other: ServerLimits) -> ServerLimits:
    """Limits that keep to both: the smaller of each."""
    return ServerLimits(
        concurrency=min(one.concurrency, other.concurrency),
        requests_per_minute=_smaller(one.requests_per_minute, other.requests_per_minute),
        tokens_per_minute=_smaller(one.tokens_per_minute, other.tokens_per_minute),
        tries=min(one.tries, other.tries),
        first_wait_seconds=max(one.first_wait_seconds, other.first_wait_seconds),
        longest_wait_seconds=max(one.longest_wait_seconds, other.longest_wait_seconds),
        patience_seconds=min(one.patience_seconds, other.patience_seconds),
        faults_to_stop=min(one.faults_to_stop, other.faults_to_stop),
    )


def _smaller(one: float | None, other: float | None) -> float | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)


@dataclass(frozen=True)
class Prices:
    """US dollars for a million tokens, and what is paid otherwise."""

    tokens_in: float
    tokens_out: float
    cached: float | None = None
    """Tokens in that the server had in its cache; none: as all others."""
    written: float | None = None
    """Tokens in that it put there; none: as all others."""
    thinking: float | None = None
    """Tokens of thinking, where they are counted apart; none: as all others that come out."""
    request: float = 0.0
    """US dollars for each request, whatever its length."""
    batch: float = HALF
    """Share of the tokens' price that a request in a batch costs."""
    source: str = ""
    """Where they stand, if not in the study."""

    def cost(self, tokens_in: float, tokens_out: float, *, batched: bool = False, requests: int = 1) -> float:
        """US dollars for tokens of which none is known to be cached."""
        return self._sum(tokens_in * self.tokens_in + tokens_out * self.tokens_out, batched, requests)

    def cost_of(self, reply: Reply) -> float:
        """US dollars for a reply."""
        fresh = max(0, reply.tokens_in - reply.cached - reply.written)
        said = max(0, reply.tokens_out - reply.thought)
        millionths = fresh * self.tokens_in + said * self.tokens_out
        millionths += reply.cached * (self.tokens_in if self.cached is None else self.cached)
        millionths += reply.written * (self.tokens_in if self.written is None else self.written)
        millionths += reply.thought * (self.tokens_out if self.thinking is None else self.thinking)
        return self._sum(millionths, reply.bought == "batch", 1)

    def _sum(self, millionths: float, batched: bool, requests: int) -> float:
        return millionths / 1e6 * (self.batch if batched else 1.0) + self.request * requests


@dataclass(frozen=True)
class ServerTerms:
    """What a remote model's calls are held to."""

    server: str
    """Scheme, host and port."""
    limits: ServerLimits = field(default_factory=ServerLimits)
    prices: Prices | None = None
    max_tokens: int | None = None
    """Most new tokens of a reply where the request does not say: what a budget sets aside for a call."""
    thinking_tokens: int = 0
    """Tokens that a reply may take for thinking besides."""


def terms_of(options: Mapping[str, Any], server: str) -> ServerTerms:
    """The terms in a block with TERMS_OPTIONS."""
    prices = prices_of(options)
    limits = ServerLimits(**(options.get("limits") or {}))
    return ServerTerms(server, limits, prices, options.get("max_tokens"), thinking_room(options))


def prices_of(options: Mapping[str, Any]) -> Prices | None:
    """The prices in a model's block, else those of its vendor's page as shipped; none where neither says."""
    prices = options.get("prices")
    if not prices:
        return listed_prices(options)
    return Prices(
        prices["input"],
        prices["output"],
        prices.get("cached_input"),
        prices.get("cache_write"),
        prices.get("thinking"),
        prices.get("per_request", 0.0),
        prices.get("batch", HALF),
    )


def priced(reply: Reply, prices: Prices | None) -> Reply:
    """The reply with its cost: as the provider reports it, or by the study's prices."""
    if reply.usd is not None or prices is None:
        return reply
    return replace(reply, usd=prices.cost_of(reply))


def _number(default: float | None, description: str, **more: Any) -> Json:
    least: Json = {} if "minimum" in more else {"exclusiveMinimum": 0}
    bound: Json = {"type": "number", **least, "description": description, **more}
    return bound if default is None else {**bound, "default": default}


def _price(description: str) -> Json:
    return {"type": "number", "minimum": 0, "maximum": 1_000_000, "description": description}


TERMS_OPTIONS: Json = {
    "limits": {
        "type": "object",
        "additionalProperties": False,
        "default": {},
        "description": "What its server may be asked for. Models on one server share the strictest of their limits.",
        "properties": {
            "concurrency": {
                "type": "integer",
                "minimum": 1,
                "default": 64,
                "description": "Most calls under way at once; halved when the server says 429, then raised again.",
            },
            "requests_per_minute": _number(None, "Most requests started in any minute."),
            "tokens_per_minute": _number(None, "Most tokens, in and out together, in any minute."),
            "tries": {
                "type": "integer",
                "minimum": 1,
                "default": 6,
                "description": "Tries of a call that meets faults (5xx, timeout, dropped connection). 429 is no fault.",
            },
            "first_wait_seconds": _number(
                1.0, "Longest wait before the second try; doubled for each further one.", minimum=0.001
            ),
            "longest_wait_seconds": _number(60.0, "Longest wait between two tries.", minimum=0.001),
            "patience_seconds": _number(900.0, "How long 429 may put a call off before the run stops (exit 4)."),
            "batch": {
                "type": "boolean",
                "description": "Whether stages without turns (personas, corpus, ratings) hand their calls in by the vendor's batch API: half the price, answers within a day. Left out, as the study's `limits` say, at the vendor's own address.",
            },
            "batch_poll_seconds": _number(
                30.0, "How long between two looks at a batch.", minimum=0.001, maximum=86_400
            ),
            "faults_to_stop": {
                "type": "integer",
                "minimum": 1,
                "default": 20,
                "description": "Failed tries in a row after which a call that is out of tries stops the run (exit 4).",
            },
        },
    },
    "prices": {
        "type": "object",
        "additionalProperties": False,
        "required": ["input", "output"],
        "description": "US dollars for a million tokens. A cost that the provider reports with a reply wins. Left out, those of the vendor's page as shipped, where the model stands there.",
        "properties": {
            "input": _price("Of what is sent."),
            "output": _price("Of what comes back."),
            "cached_input": _price("Of what is sent and was in the server's cache; left out, as all that is sent."),
            "cache_write": _price("Of what the server puts into its cache; left out, as all that is sent."),
            "thinking": _price("Of thinking, where the server counts it apart; left out, as all that comes back."),
            "per_request": {**_price("For each request, whatever its length, in US dollars."), "default": 0},
            "batch": {
                **_price("Share of these prices (not of `per_request`) that a request in a batch costs."),
                "maximum": 1,
                "default": HALF,
            },
        },
    },
}
"""Options that every remote model takes."""
