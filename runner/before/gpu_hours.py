"""GPU hours of a study, for its plan: training tokens and the local models' spoken tokens over measured speeds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from cbtrun.contract.marks import loads_weights

if TYPE_CHECKING:
    from cbtrun.contract.plans import Plan
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

BILLIONS = 8.0
"""Parameters of the models that the speeds were measured with."""
TOKENS_A_SESSION = 1500
"""Of a transcript to train on, where no plan says more."""


def gpu_speeds() -> dict[str, dict[str, Any]]:
    """GPU -> its speeds and where they come from."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(
        (files("cbtrun.before") / "gpu_speeds.yaml").read_text(encoding="utf-8")
    )
    return found


def gpu_lines(study: Study, registry: Registry, plans: Mapping[str, Plan | None]) -> Iterator[str]:
    """Hours on each known GPU; nothing for a study without weights from the hub."""
    training = sum(training_work(study, name, plans) for name in study.tune_jobs)
    speaking = sum(
        planned.tokens_out * _size(study, planned.model) / BILLIONS
        for plan in plans.values()
        if plan is not None
        for planned in plan.calls
        if _is_local(study, registry, planned.model)
    )
    if not training and not speaking:
        return
    for gpu, speeds in gpu_speeds().items():
        tuned = training / speeds["training_tokens_per_second"] / 3600
        spoken = speaking / speeds["session_tokens_per_second"] / 3600
        yield f"~{tuned + spoken:.1f} hours of one {gpu}: {tuned:.1f} tuning ({speeds['training_source']}), {spoken:.1f} talking ({speeds['session_source']})"


def training_work(study: Study, name: str, plans: Mapping[str, Plan | None]) -> float:
    """Tokens that a tune job trains on over all epochs and seeds, times its base's size in the measured models' size."""
    job = study.tune_jobs[name]
    if job.base not in study.models or not job.corpus or study.models[job.base].ships:
        return 0.0
    options = job.options
    seen = (
        options["max_steps"] * _row_tokens(options)
        if options.get("max_steps")
        else _corpus_tokens(job.corpus, plans) * options.get("epochs", 1)
    )
    return float(seen) * len(job.seeds) * _size(study, job.base) / BILLIONS


def _corpus_tokens(corpus: str, plans: Mapping[str, Plan | None]) -> float:
    plan = plans.get(f"corpus.{corpus}")
    if plan is None:
        return 0.0
    return float(sum(one.tokens_out for one in plan.calls) or plan.units * TOKENS_A_SESSION)


def _row_tokens(options: Mapping[str, Any]) -> int:
    rows = options.get("batch_size", 1) * options.get("gradient_accumulation", 1)
    return int(options.get("batch_tokens") or rows * options.get("max_length", 1024))


def _is_local(study: Study, registry: Registry, name: str) -> bool:
    """Whether a model, or the base of a tune job, has its weights on this machine and is no toy."""
    base = study.base_of(name)
    if base not in study.models or study.models[base].ships:
        return False
    return loads_weights(registry.schema("models", study.models[base].using))


def _size(study: Study, name: str) -> float:
    """Billions of parameters by the model's name; the measured size where it says none."""
    found = re.search(r"(\d+(?:\.\d+)?)b\b", study.models[study.base_of(name)].model.lower())
    return float(found[1]) if found else BILLIONS
