"""What a study may cost: dollars, tokens and hours. A call that may not fit waits for those under way; if none is, the run stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cbtrun.calls.server_terms import Prices, ServerTerms
from cbtrun.contract.models import Reply, Request
from cbtrun.errors import StopRun
from cbtrun.journal.journal import Spent

UNBOUNDED_REPLY = 1024
"""Tokens that are set aside for a reply to which nobody set a bound."""


@dataclass(frozen=True)
class BudgetLimits:
    """`limits` of a study; none means no limit."""

    usd: float | None = None
    tokens: int | None = None
    hours: float | None = None


@dataclass(frozen=True)
class Reserve:
    """What is set aside for a call before it is made."""

    tokens: int = 0
    usd: float = 0.0


@dataclass
class Budget:
    """What was spent and what is set aside, held to the limits."""

    limits: BudgetLimits
    spent_usd: float = 0.0
    spent_tokens: int = 0
    until: float = float("inf")
    """When the hours are over, on the monotonic clock."""
    unpriced: str = ""
    """A server whose reply had no price, so that dollars cannot be held to a limit."""
    _reserved_usd: float = 0.0
    _reserved_tokens: int = 0
    _under_way: int = 0
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    async def reserve(self, request: Request, terms: ServerTerms | None, *, batched: bool = False) -> Reserve:
        """Set aside what a call, or a request of a batch, may take; waits while calls under way may still leave enough.

        Raises StopRun when nothing is under way and the call may go over a limit.
        """
        reserve = estimate(request, terms, batched=batched)
        while fault := self._over(reserve):
            if not self._under_way:
                raise StopRun(f"{fault}. Everything is kept: raise it and run the same command again")
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(settled)
            await settled
        self._under_way += 1
        self._reserved_usd += reserve.usd
        self._reserved_tokens += reserve.tokens
        return reserve

    def take_up(self) -> Reserve:
        """Set nothing aside, for a call that was bought in an earlier run and is only waited for."""
        self._under_way += 1
        return Reserve()

    def settle(self, reserve: Reserve, reply: Reply | None, terms: ServerTerms | None = None) -> None:
        """Give back what was set aside and count what the call took; none for a call that failed."""
        if reply is not None and reply.usd is None and terms is not None:
            self.unpriced = terms.server
        self._under_way -= 1
        self._reserved_usd -= reserve.usd
        self._reserved_tokens -= reserve.tokens
        if reply is not None:
            self.spent_usd += max(0.0, reply.usd or 0.0)  # no reply gives money back
            self.spent_tokens += max(0, reply.tokens_in) + max(0, reply.tokens_out)
        waiting, self._waiting = self._waiting, []
        for settled in waiting:
            if not settled.done():
                settled.set_result(None)

    def _over(self, reserve: Reserve) -> str | None:
        """Which limit a call may go over, or none."""
        limits = self.limits
        if limits.usd is not None and self.unpriced:
            return f"limits/usd cannot be kept: {self.unpriced} reports no cost and its model has no `prices`"
        if limits.usd is not None and self.spent_usd + self._reserved_usd + reserve.usd > limits.usd:
            spent = f"${self.spent_usd:,.4f} of ${limits.usd:,.4f}"
            return f"limits/usd: {spent} are spent and the next call may take ${reserve.usd:,.4f}"
        if limits.tokens is not None and self.spent_tokens + self._reserved_tokens + reserve.tokens > limits.tokens:
            spent = f"{self.spent_tokens:,} of {limits.tokens:,} tokens"
            return f"limits/tokens: {spent} are spent and the next call may take {reserve.tokens:,}"
        if time.monotonic() >= self.until:
            return f"limits/hours: the {limits.hours:g} hours are over"
        return None


def budget_of(limits_of_study: Mapping[str, Any], spent: Spent) -> Budget | None:
    """The study's budget by its `limits`, less what its runs have spent; none when it sets no limit."""
    limits = BudgetLimits(**{name: value for name, value in limits_of_study.items() if name != "batch"})
    if limits == BudgetLimits():
        return None
    left = float("inf") if limits.hours is None else limits.hours * 3600 - spent.seconds
    return Budget(limits, spent.usd, spent.tokens, time.monotonic() + left)


def estimate(request: Request, terms: ServerTerms | None, *, batched: bool = False) -> Reserve:
    """An upper bound for most texts: a token for three bytes, and the longest reply that is allowed."""
    tokens_in = sum(len(message.content.encode("utf-8", "replace")) // 3 + 8 for message in request.messages)
    tokens_out = request.max_tokens or (terms and terms.max_tokens) or UNBOUNDED_REPLY
    tokens_out += terms.thinking_tokens if terms else 0
    prices: Prices | None = terms.prices if terms else None
    return Reserve(tokens_in + tokens_out, prices.cost(tokens_in, tokens_out, batched=batched) if prices else 0.0)
