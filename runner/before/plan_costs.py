"""What planned calls would take in tokens, money and time, from the spec and from what the journal already holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.calls.server_terms import Prices, prices_of
from cbtrun.contract.thinking_option import thinking_room
from cbtrun.journal.tables import connect_to_read
from cbtrun.run.progress_line import duration

if TYPE_CHECKING:
    from cbtrun.contract.plans import Plan, PlannedCalls
    from cbtrun.contract.study_view import StudyView
    from cbtrun.files.run_folder import RunFolder

ASSUMED_SECONDS = 3.0
"""Of a call to a server, where the journal holds none."""


@dataclass(frozen=True)
class Kept:
    """What the journal holds of one stage's calls to one model."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class CallCost:
    """What one stage's calls to one model would still take."""

    stage: str
    model: str
    calls: int
    kept: int
    left: int
    tokens_in: int
    """Estimate for the calls left."""
    tokens_out: int
    usd: float | None
    """None where the model has no prices."""
    call_seconds: float | None
    """Of one call; none for a model in this process: nobody can say."""
    assumed: tuple[str, ...]

    def words(self) -> str:
        """The line of a plan."""
        parts = [f"{self.calls:,} calls"]
        if self.kept:
            parts.append(f"{self.kept:,} in the journal, {self.left:,} to make")
        if self.tokens_in or self.tokens_out:
            parts.append(f"~{self.tokens_in:,} tokens in, ~{self.tokens_out:,} out")
        if self.usd is not None:
            parts.append(f"~${self.usd:,.2f}")
        return ", ".join(parts)


def call_costs(plans: Mapping[str, Plan | None], study: StudyView, folder: RunFolder) -> list[CallCost]:
    """The cost of every planned kind of call, in the order of the stages."""
    kept = _kept(folder)
    return [
        _cost(stage, planned, study, kept.get((stage, planned.model), Kept()))
        for stage, plan in plans.items()
        for planned in (plan.calls if plan else ())
    ]


def sum_lines(costs: Sequence[CallCost], limits: Mapping[str, Any], waiting: float | None) -> Iterator[str]:
    """The sums over all stages, the study's limits, and what was assumed."""
    calls, left = sum(one.calls for one in costs), sum(one.left for one in costs)
    tokens = sum(one.tokens_in + one.tokens_out for one in costs)
    yield f"  {calls:,} model calls in all, {calls - left:,} of them in the journal, {left:,} to make (~{tokens:,} tokens)"
    priced = [one.usd for one in costs if one.usd is not None]
    if priced:
        yield f"  ~${sum(priced):,.2f} for the models that have prices"
    if waiting is not None:
        yield f"  ~{duration(waiting)} waiting for servers, where turns and other calls that follow each other do so"
    if limits:
        yield "  limits: " + ", ".join(f"{value:,g} {name}" for name, value in limits.items()) + ", over all runs"
    for line in dict.fromkeys(line for one in costs for line in one.assumed):
        yield f"  assumed: {line}"


def _cost(stage: str, planned: PlannedCalls, study: StudyView, kept: Kept) -> CallCost:
    model = study.models.get(planned.model)
    block = model.options if model else {}  # of an adapter nobody knows a price
    left = max(0, planned.calls - kept.calls)
    calls = max(1, kept.calls if kept.calls else planned.calls)
    tokens_in = round((kept.tokens_in if kept.calls else planned.tokens_in) / calls * left)
    tokens_out = round((kept.tokens_out if kept.calls else planned.tokens_out) / calls * left)
    tokens_out += 0 if kept.calls else left * thinking_room(block)
    prices: Prices | None = prices_of(block)
    each = kept.seconds / kept.calls if kept.calls else ASSUMED_SECONDS
    seconds = each if block.get("base_url") else None
    usd = prices.cost(tokens_in, tokens_out) if prices else None
    done = min(planned.calls, kept.calls)
    return CallCost(stage, planned.model, planned.calls, done, left, tokens_in, tokens_out, usd, seconds, _assumed(stage, planned, block, kept, left))  # fmt: skip


def _assumed(stage: str, planned: PlannedCalls, block: Mapping[str, Any], kept: Kept, left: int) -> tuple[str, ...]:
    found = []
    if kept.calls:
        found.append(
            f"{stage}: a call to {planned.model} goes on as the {kept.calls:,} in the journal did on average, and those are of this spec"
        )
    elif block.get("base_url") and left:
        found.append(f"a call to {planned.model} takes {ASSUMED_SECONDS:g} s and its limits are the only ones")
    if (room := thinking_room(block)) and left and not kept.calls:
        found.append(
            f"each reply of {planned.model} thinks for {room:,} tokens, the most of `thinking: {block['thinking']}`"
        )
    if block.get("base_url") and not block.get("prices"):
        found.append(f"{planned.model} has no `prices`: its calls are left out of the dollars")
    return tuple(found)


def _kept(folder: RunFolder) -> dict[tuple[str, str], Kept]:
    if not folder.journal.exists():
        return {}
    connection = connect_to_read(folder.journal)
    query = (
        "SELECT stage, model, count(*), sum(tokens_in), sum(tokens_out), sum(seconds) FROM calls GROUP BY stage, model"
    )
    found = {(stage, model): Kept(*sums) for stage, model, *sums in connection.execute(query)}
    connection.close()
    return found
