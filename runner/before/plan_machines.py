"""What a plan says of a cluster: how many engines it has room for, and how many of them one driver keeps busy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cbtrun.before.hours import BILLIONS, billions_in, speeds_of_machines
from cbtrun.before.plan import plan_study
from cbtrun.contract.marks import elsewhere, needs_gpu

if TYPE_CHECKING:
    from cbtrun.cluster.cluster import Cluster
    from cbtrun.contract.plans import PlannedCalls
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

DRIVER_REPLIES = 280.0
"""Replies a second that one driver hands out: benchmarks/cluster.py, figures in docs/cluster.md."""
MEASURED_ON = "H100"
"""The machine of speeds.yaml that an engine is taken to be on."""


def machines_lines(study: Study, registry: Registry, cluster: Cluster) -> Iterator[str]:
    """The machines; for each model that takes GPUs there, engines that fit and engines that one driver feeds."""
    seen = cluster.seen
    gpus = sum(map(len, seen.gpus))
    yield f"on {cluster.where.on}: {len(cluster.machines)} machines, {gpus} GPUs, {sum(seen.cpus):.0f} cores"
    for base, calls in _calls_by_base(study, registry).items():
        options = study.models[base].options
        fit = seen.seats(int(options.get("tensor_parallel_size", 1)))
        rate = engine_replies(study, base, calls)
        fed = max(1, int(DRIVER_REPLIES / rate))
        yield (
            f"{base}: room for {fit} engines; one driver hands out about {DRIVER_REPLIES:,.0f} replies a second and so feeds about "
            f"{fed:,} of them ({rate:.0f} replies a second each, of {_tokens(calls):.0f} tokens, on an {MEASURED_ON})"
        )
        if fit > fed:
            yield f"warning: {base}: more than {fed:,} engines would wait for this driver; `replicas: {fed}` in where.yaml leaves the others free"


def engine_replies(study: Study, base: str, calls: list[PlannedCalls]) -> float:
    """Replies a second of one engine, by measured speeds and the model's size."""
    speeds = speeds_of_machines()[MEASURED_ON]
    size = billions_in(study.named_weights.get(base, {}).get("model", study.models[base].model)) or BILLIONS
    return float(
        min(speeds["session_tokens_per_second"] * BILLIONS / size / _tokens(calls), speeds["turns_per_second"])
    )


def _tokens(calls: list[PlannedCalls]) -> float:
    made = sum(one.calls for one in calls)
    return max(1.0, sum(one.tokens_out for one in calls) / made) if made else 60.0


def _calls_by_base(study: Study, registry: Registry) -> dict[str, list[PlannedCalls]]:
    """Model that takes GPUs elsewhere -> the calls that are planned of it and of all that is tuned on it."""
    found: dict[str, list[PlannedCalls]] = {}
    for plan in plan_study(study, registry).values():
        for calls in plan.calls if plan is not None else ():
            base = study.base_of(calls.model)
            schema = registry.schema("models", study.models[base].using) if base in study.models else {}
            if elsewhere(schema) and needs_gpu(schema):
                found.setdefault(base, []).append(calls)
    return found
