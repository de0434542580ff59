"""What a study says about a server: limits and prices; and one gate for each server, shared by the models on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cbtrun.calls.server_gate import ServerGate, ServerLimits
from cbtrun.models import Reply
from cbtrun.records import Json


@dataclass(frozen=True)
class Prices:
    """US dollars for a million tokens."""

    tokens_in: float
    tokens_out: float

    def cost(self, tokens_in: float, tokens_out: float) -> float:
        """US dollars."""
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1e6


@dataclass(frozen=True)
class ServerTerms:
    """What a remote model's calls are held to."""

    server: str
    """Scheme, host and port."""
    limits: ServerLimits = field(default_factory=ServerLimits)
    prices: Prices | None = None
    max_tokens: int | None = None
    """Most new tokens of a reply where the request does not say: what a budget sets aside for a call."""


@dataclass
class ServerGates:
    """The way to each server of a run."""

    _gates: dict[str, ServerGate] = field(default_factory=dict)

    def gate(self, terms: ServerTerms) -> ServerGate:
        """The gate of a server; models on one server share it and are held to the strictest of their limits."""
        gate = self._gates.get(terms.server)
        if gate is None:
            gate = self._gates[terms.server] = ServerGate(terms.server, terms.limits)
        elif not any(kept is terms.limits for kept in gate.kept):  # read with every call: no comparing of values
            gate.tighten(terms.limits)
        return gate


def terms_of(options: Mapping[str, Any], server: str) -> ServerTerms:
    """The terms in a block with TERMS_OPTIONS."""
    prices = prices_of(options)
    return ServerTerms(server, ServerLimits(**(options.get("limits") or {})), prices, options.get("max_tokens"))


def prices_of(options: Mapping[str, Any]) -> Prices | None:
    """The prices in a model's block, or none."""
    prices = options.get("prices")
    return Prices(prices["input"], prices["output"]) if prices else None


def priced(reply: Reply, prices: Prices | None) -> Reply:
    """The reply with its cost: as the provider reports it, or by the study's prices."""
    if reply.usd is not None or prices is None:
        return reply
    return replace(reply, usd=prices.cost(reply.tokens_in, reply.tokens_out))


def _number(default: float | None, description: str, **more: Any) -> Json:
    bound: Json = {"type": "number", "exclusiveMinimum": 0, "description": description, **more}
    return bound if default is None else {**bound, "default": default}


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
            "first_wait_seconds": _number(1.0, "Longest wait before the second try; doubled for each further one."),
            "longest_wait_seconds": _number(60.0, "Longest wait between two tries."),
            "patience_seconds": _number(900.0, "How long 429 may put a call off before the run stops (exit 4)."),
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
        "description": "US dollars for a million tokens. A cost that the provider reports with a reply wins.",
        "properties": {
            "input": {"type": "number", "minimum": 0, "description": "Of what is sent."},
            "output": {"type": "number", "minimum": 0, "description": "Of what comes back."},
        },
    },
}
"""Options that every remote model takes."""
