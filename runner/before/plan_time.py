"""How long a study's stages wait for servers: turns of a session follow each other, sessions go side by side.

So a stage takes the longer of two: the chain of calls that one of its units makes, wave by wave where not all units are
under way at once, and all its calls at what the servers take at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cbtrun.contract.pace import seconds_left
from cbtrun.contract.study_blocks import addresses_of

if TYPE_CHECKING:
    from cbtrun.before.plan_costs import CallCost
    from cbtrun.contract.plans import Plan
    from cbtrun.contract.study_view import StudyView

UNITS_AT_ONCE = 256
"""Units of a stage under way at once: what `--concurrency` is without being given."""
CALLS_AT_ONCE = 64
"""Calls that a server gets at once where its limits do not say."""


def waiting_by_stage(plans: Mapping[str, Plan | None], costs: Sequence[CallCost], study: StudyView) -> dict[str, float]:
    """Stage -> seconds that its calls to servers take; a stage without such calls is not in it."""
    found = {}
    for stage, plan in plans.items():
        own = [one for one in costs if one.stage == stage]
        if plan is not None and any(one.call_seconds is not None and one.left for one in own):
            found[stage] = _waiting(plan, own, study)
    return found


def _waiting(plan: Plan, costs: Sequence[CallCost], study: StudyView) -> float:
    calls, left = sum(one.calls for one in costs), sum(one.left for one in costs)
    chains = max(1, round(calls / plan.in_a_row))
    # Of a step, the mean over the models whose turn it may be; one in this process is taken to answer at once.
    own = sum((one.call_seconds or 0.0) * one.left for one in costs) / left
    capacity = min(_steps_a_second(group, left, study) for group in _by_server(costs, study).values())
    return seconds_left([], chains, left / chains, min(chains, UNITS_AT_ONCE), capacity, own)


def _by_server(costs: Sequence[CallCost], study: StudyView) -> dict[str, list[CallCost]]:
    """Address -> the calls to its models: they share its limits."""
    found: dict[str, list[CallCost]] = {}
    for one in costs:
        if one.call_seconds is not None and one.left:
            found.setdefault(" ".join(addresses_of(_block(one, study))), []).append(one)
    return found


def _steps_a_second(costs: Sequence[CallCost], left: int, study: StudyView) -> float:
    """Steps of all units together that one server allows: its calls a second over their share of all calls."""
    calls = sum(one.left for one in costs)
    each = sum((one.call_seconds or 0.0) * one.left for one in costs) / calls
    tokens = sum(one.tokens_in + one.tokens_out for one in costs) / calls
    limits = [_block(one, study).get("limits") or {} for one in costs]
    at_once = min(one.get("concurrency", CALLS_AT_ONCE) for one in limits)
    rates = [at_once / each if each else float("inf")]
    rates += [one["requests_per_minute"] / 60 for one in limits if one.get("requests_per_minute")]
    rates += [one["tokens_per_minute"] / 60 / tokens for one in limits if one.get("tokens_per_minute") and tokens]
    servers = min(len(addresses_of(_block(one, study))) for one in costs)  # limits are of each
    return min(rates) * max(1, servers) * left / calls


def _block(cost: CallCost, study: StudyView) -> Mapping[str, Any]:
    return study.models[cost.model].options
