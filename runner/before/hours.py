"""Hours of a study on known machines, for its plan: training tokens and local models' spoken tokens over measured speeds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from cbtrun.contract.marks import loads_weights, needs_gpu

if TYPE_CHECKING:
    from cbtrun.contract.plans import Plan
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

BILLIONS = 8.0
"""Parameters of the models that the speeds were measured with."""
MOST_ON_CPU = 48 * 3600
"""Seconds on a CPU that are told; nobody waits longer."""
TOKENS_A_SESSION = 1500
"""Of a transcript to train on, where no plan says more."""


def speeds_of_machines() -> dict[str, dict[str, Any]]:
    """GPU, or CPU -> its speeds and where they come from."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(
        (files("cbtrun.before") / "speeds.yaml").read_text(encoding="utf-8")
    )
    return found


def machine_lines(study: Study, registry: Registry, plans: Mapping[str, Plan | None]) -> Iterator[str]:
    """Time on each known machine that can do it; nothing for a study without weights from the hub."""
    training = sum(training_work(study, name, plans) for name in study.tune_jobs)
    calls = [one for plan in plans.values() if plan is not None for one in plan.calls]
    local = [one for one in calls if is_local(study, registry, one.model)]
    speaking = sum(one.tokens_out * size_of(study, one.model) / BILLIONS for one in local)
    if not training and not speaking:
        return
    turns = sum(one.calls for one in local)
    jobs = sum(len(job.seeds) for name, job in study.tune_jobs.items() if training_work(study, name, plans))
    on_gpu = any(needs_gpu(registry.schema("models", study.models[study.base_of(one.model)].using)) for one in local)
    for machine, speeds in speeds_of_machines().items():
        start, more, opening = speeds["seconds_to_start"]
        tuned = training / speeds["training_tokens_per_second"] + (start + more * (jobs - 1) if jobs else 0)
        spoken = max(speaking / speeds["session_tokens_per_second"], turns / speeds["turns_per_second"])
        spoken += opening if local else 0
        if machine == "CPU" and (on_gpu or tuned + spoken > MOST_ON_CPU):
            continue
        yield f"~{_time(tuned + spoken)} of one {machine}: {_time(tuned)} tuning ({speeds['training_source']}), {_time(spoken)} talking ({speeds['session_source']})"


def _time(seconds: float) -> str:
    if seconds > 2 * 3600:
        return f"{seconds / 3600:.1f} hours"
    minutes = max(round(seconds / 60), 1)
    return f"{minutes} minute{'s' * (minutes > 1)}"


def training_work(study: Study, name: str, plans: Mapping[str, Plan | None]) -> float:
    """Tokens that a tune job trains on over all epochs and seeds, times its base's size in the measured models' size."""
    job = study.tune_jobs[name]
    if job.base not in study.models or study.models[job.base].ships:
        return 0.0
    if not job.corpus:
        plan = plans.get(f"tune.{name}")
        return (plan.training_tokens if plan else 0.0) * size_of(study, job.base) / BILLIONS
    options = job.options
    seen = (
        options["max_steps"] * _row_tokens(options)
        if options.get("max_steps")
        else _corpus_tokens(job.corpus, plans) * options.get("epochs", 1)
    )
    return float(seen) * len(job.seeds) * size_of(study, job.base) / BILLIONS


def _corpus_tokens(corpus: str, plans: Mapping[str, Plan | None]) -> float:
    plan = plans.get(f"corpus.{corpus}")
    if plan is None:
        return 0.0
    return float(sum(one.tokens_out for one in plan.calls) or plan.units * TOKENS_A_SESSION)


def _row_tokens(options: Mapping[str, Any]) -> int:
    rows = options.get("batch_size", 1) * options.get("gradient_accumulation", 1)
    return int(options.get("batch_tokens") or rows * options.get("max_length", 1024))


def is_local(study: Study, registry: Registry, name: str) -> bool:
    """Whether a model, or the base of a tune job, has its weights on this machine and is no toy."""
    base = study.base_of(name)
    if base not in study.models or study.models[base].ships:
        return False
    return loads_weights(registry.schema("models", study.models[base].using))


def size_of(study: Study, name: str) -> float:
    """Billions of parameters by the name that the study's file gives the model; the measured size where it says none."""
    base = study.base_of(name)
    named = study.named_weights.get(base, {}).get("model", study.models[base].model)
    return billions_in(named) or BILLIONS


def billions_in(model: str) -> float | None:
    """Billions of parameters that a model's name tells: `Llama-3.1-8B`, `SmolLM2-135M`; none where it tells nothing."""
    found = re.search(r"(\d+(?:\.\d+)?)([bm])\b", model.lower())
    return float(found[1]) / (1 if found[2] == "b" else 1000) if found else None
