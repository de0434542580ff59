"""What planned calls would take in tokens, money and time, from the spec and from what the journal already holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cbtrun.calls.server_terms import Prices, prices_of
from cbtrun.contract.marks import batch_host
from cbtrun.contract.stage_kinds import STAGES
from cbtrun.contract.study_blocks import addresses_of
from cbtrun.contract.thinking_option import thinking_room
from cbtrun.journal.tables import connect_to_read
from cbtrun.run.batched import wanted_of
from cbtrun.run.progress_line import duration

if TYPE_CHECKING:
    from cbtrun.contract.plans import Plan, PlannedCalls
    from cbtrun.contract.study_view import StudyView
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.registry import Registry

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
class Other:
    """What the calls would cost if they were bought the other way."""

    usd: float
    how: str


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
    """As the study says that they are bought; none where the model has no prices."""
    other: Other | None
    """The other way to buy them, where there is one and it has a price."""
    batched: bool
    """Whether they are bought in batches."""
    call_seconds: float | None
    """Of one call; none for a model in this process, of which nobody can say, and where they are bought in batches."""
    assumed: tuple[str, ...]
    in_a_row: int = 1
    """Calls of one unit that follow each other, each in a batch of its own."""
    usd_anew: float | None = None
    """Of all its calls, had the journal none."""

    def words(self) -> str:
        """The line of a plan."""
        parts = [f"{self.calls:,} calls"]
        if self.kept:
            parts.append(f"{self.kept:,} in the journal, {self.left:,} to make")
        if self.tokens_in or self.tokens_out:
            parts.append(f"~{self.tokens_in:,} tokens in, ~{self.tokens_out:,} out")
        if self.usd is not None:
            parts.append(f"~${self.usd:,.2f}{' in batches' if self.batched else ''}")
        if self.other is not None:
            parts.append(f"~${self.other.usd:,.2f} {self.other.how}")
        if self.batched:
            row = "" if self.in_a_row == 1 else f", {self.in_a_row} batches one after the other"
            parts.append(f"answers within a day a batch{row}")
        return ", ".join(parts)


def call_costs(
    plans: Mapping[str, Plan | None], study: StudyView, registry: Registry, folder: RunFolder
) -> list[CallCost]:
    """The cost of every planned kind of call, in the order of the stages."""
    kept = kept_calls(folder)
    return [
        replace(
            _cost(stage, planned, study, registry, kept.get((stage, planned.model), Kept())), in_a_row=plan.in_a_row
        )
        for stage, plan in plans.items()
        if plan is not None
        for planned in plan.calls
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
    if bounds := {name: value for name, value in limits.items() if name != "batch"}:
        yield "  limits: " + ", ".join(f"{value:,g} {name}" for name, value in bounds.items()) + ", over all runs"
    for line in dict.fromkeys(line for one in costs for line in one.assumed):
        yield f"  assumed: {line}"


@dataclass(frozen=True)
class GateCost:
    """What `cbtrun gate` would spend: judging asks nobody, so it is what the run before it takes."""

    calls_now: int
    """Calls that the study has yet to make."""
    usd_now: float
    calls_of_another_therapist: int
    """Calls of all its sessions and ratings: what a model that is not in the journal takes."""
    usd_of_another_therapist: float

    def words(self) -> str:
        """The line of a plan."""
        now = f"{self.calls_now:,} calls to make{_dollars(self.usd_now)}" if self.calls_now else "nothing to spend"
        anew = f"{self.calls_of_another_therapist:,} calls{_dollars(self.usd_of_another_therapist)}"
        return f"gate: {now} as the journal is; for another therapist, all sessions and ratings anew: {anew}"


def _dollars(usd: float) -> str:
    return f" (~${usd:,.2f})" if usd else ""


def gate_cost(costs: Sequence[CallCost]) -> GateCost:
    """What a gate of the study would spend, now and once its therapist is another; models without prices cost nothing here."""
    anew = [one for one in costs if one.stage.partition(".")[0] in ("sessions", "ratings")]
    return GateCost(
        sum(one.left for one in costs),
        sum(one.usd or 0.0 for one in costs),
        sum(one.calls for one in anew),
        sum(one.usd_anew or 0.0 for one in anew),
    )


def _cost(stage: str, planned: PlannedCalls, study: StudyView, registry: Registry, kept: Kept) -> CallCost:
    model = study.models.get(planned.model)
    block = model.options if model else {}  # of an adapter nobody knows a price
    left = max(0, planned.calls - kept.calls)
    calls = max(1, kept.calls if kept.calls else planned.calls)
    tokens_in = round((kept.tokens_in if kept.calls else planned.tokens_in) / calls * left)
    tokens_out = round((kept.tokens_out if kept.calls else planned.tokens_out) / calls * left)
    tokens_out += 0 if kept.calls else left * thinking_room(block)
    prices: Prices | None = prices_of(block)
    buying = _buying(stage, model.using, block, study, registry) if model else Buying()
    waits = block.get("base_url") and not buying.batched
    each = kept.seconds / kept.calls if kept.calls else ASSUMED_SECONDS
    seconds = each if waits else None
    usd, other = _priced(prices, (tokens_in, tokens_out, left), buying)
    whole = kept if kept.calls else planned
    thought = 0 if kept.calls else planned.calls * thinking_room(block)
    asked, said = (round(one / calls * planned.calls) for one in (whole.tokens_in, whole.tokens_out))
    anew, _ = _priced(prices, (asked, said + thought, planned.calls), buying)
    done = min(planned.calls, kept.calls)
    return CallCost(stage, planned.model, planned.calls, done, left, tokens_in, tokens_out, usd, other, buying.batched, seconds, _assumed(stage, planned, block, kept, left if seconds is not None else 0, left), usd_anew=anew)  # fmt: skip


@dataclass(frozen=True)
class Buying:
    """How calls of one model in one stage can be bought."""

    possible: bool = False
    """In batches, too."""
    batched: bool = False
    """In batches, as the study says."""


def _buying(stage: str, using: str, block: Mapping[str, Any], study: StudyView, registry: Registry) -> Buying:
    host = batch_host(registry.schema("models", using))
    if host is None or STAGES[stage.partition(".")[0]].turns:
        return Buying()
    wanted, own = wanted_of(block), urlsplit(next(iter(addresses_of(block)), "")).hostname == host
    batched = (own and study.limits.get("batch") is True) if wanted is None else wanted
    return Buying(possible=own or batched, batched=batched)


def _priced(prices: Prices | None, tokens: tuple[int, int, int], buying: Buying) -> tuple[float | None, Other | None]:
    """US dollars as the calls are bought, and the other way. tokens: in, out, and how many calls."""
    if prices is None:
        return None, None
    asked, said, calls = tokens
    alone, together = (prices.cost(asked, said, batched=one, requests=calls) for one in (False, True))
    if not buying.possible or not calls:
        return alone, None
    if buying.batched:
        return together, Other(alone, "one by one")
    return alone, Other(together, "in batches (limits: {batch: true})")


def _assumed(
    stage: str, planned: PlannedCalls, block: Mapping[str, Any], kept: Kept, waits: int, left: int
) -> tuple[str, ...]:
    """waits: calls that are made one by one, of those left."""
    found = []
    if kept.calls:
        found.append(
            f"{stage}: a call to {planned.model} goes on as the {kept.calls:,} in the journal did on average, and those are of this spec"
        )
    elif waits:
        found.append(f"a call to {planned.model} takes {ASSUMED_SECONDS:g} s and its limits are the only ones")
    if (room := thinking_room(block)) and left and not kept.calls:
        found.append(
            f"each reply of {planned.model} thinks for {room:,} tokens, the most of `thinking: {block['thinking']}`"
        )
    listed = prices_of(block)
    if listed is not None and listed.source and left:
        found.append(f"prices of {planned.model} are those of {listed.source}; no token of it is in the vendor's cache")
    if block.get("base_url") and listed is None:
        found.append(f"{planned.model} has no `prices`: its calls are left out of the dollars")
    return tuple(found)


def kept_calls(folder: RunFolder) -> dict[tuple[str, str], Kept]:
    """(stage, model) -> what the journal of a run holds of its calls."""
    if not folder.journal.exists():
        return {}
    connection = connect_to_read(folder.journal)
    query = (
        "SELECT stage, model, count(*), sum(tokens_in), sum(tokens_out), sum(seconds) FROM calls GROUP BY stage, model"
    )
    found = {(stage, model): Kept(*sums) for stage, model, *sums in connection.execute(query)}
    connection.close()
    return found
