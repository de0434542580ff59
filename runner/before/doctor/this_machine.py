"""What this machine has: versions, extras, GPU memory, disk, weights and the licences that stand before them."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.before.hours import billions_in
from cbtrun.contract.check import Check
from cbtrun.contract.marks import loads_weights
from cbtrun.contract.stage_kinds import PLUGGED
from cbtrun.study.checks import block_context

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

OLDEST_PYTHON = (3, 11)
GIB = 2**30
GATED: Mapping[str, str] = {
    "meta-llama/": "the Llama Community License",
    "mistralai/": "Mistral's terms",
    "google/gemma": "the Gemma Terms of Use",
}
"""Beginnings of names on the hub whose weights are given to those only who accepted a licence there."""
RECORDS_GIB = 1.0
"""Journal, transcripts, sessions, ratings and report: docs/paper.md has what a study of 720 sessions took."""
PACKAGES = ("vllm", "bitsandbytes", "liger-kernel", "google-genai", "anthropic")
"""What only some studies need; plugins say whether a study lacks one."""


def version_checks() -> Iterator[Check]:
    """Python, cbtrun, and the optional packages that are here."""
    from cbtrun.version import __version__

    found = ".".join(map(str, sys.version_info[:3]))
    fits = sys.version_info[:2] >= OLDEST_PYTHON
    yield Check(
        "ok" if fits else "stop",
        "versions",
        f"cbtrun {__version__}, Python {found}",
        "" if fits else "use Python 3.11 or newer",
    )
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            yield Check("ok", f"package {package}", version(package))


def clock_check() -> Check:
    """A clock that is before our own installation is wrong; TLS would fail without saying why."""
    installed = Path(str(distribution("cbtrun").locate_file("")))
    newest = max((path.stat().st_mtime for path in installed.glob("*cbtrun*")), default=0.0)
    if time.time() + 60 < newest:
        return Check("stop", "clock", "before the day on which cbtrun was installed", "set this machine's clock")
    return Check("ok", "clock", time.strftime("%Y-%m-%d %H:%M %Z"))


def block_checks(study: Study, registry: Registry) -> Iterator[Check]:
    """What plugins have to say of their blocks, in the order of the stages: a tune job's memory, for one."""
    for stage in PLUGGED:
        for name, block in study.blocks(stage).items():
            yield from registry.checks(block["using"], block_context(study, stage, name))


def weights_checks(study: Study, registry: Registry) -> Iterator[Check]:
    """Weights on the hub: here already, or to be fetched, and whether a licence stands before them."""
    for name, model in hub_models(study, registry).items():
        if is_cached(model):
            yield Check("ok", f"weights of {name}", f"{model} is in the hub's cache")
            continue
        licence = next((words for start, words in GATED.items() if model.startswith(start)), None)
        if licence and not _hub_token():
            todo = f"accept them at https://huggingface.co/{model}, then `hf auth login` or set HF_TOKEN"
            yield Check("stop", f"weights of {name}", f"{model} is given to those only who accepted {licence}", todo)
        else:
            accepted = f"; {licence} must have been accepted by the token's owner" if licence else ""
            yield Check("note", f"weights of {name}", f"{model} will be fetched from the hub{accepted}")


def disk_check(study: Study, registry: Registry, runs: Path) -> Iterator[Check]:
    """Room for the run folder and for the weights that are still to come."""
    here = next(folder for folder in (runs.absolute(), *runs.absolute().parents) if folder.is_dir())
    if not os.access(here, os.W_OK):
        yield Check("stop", "disk", f"{here} may not be written", "choose another place with --runs")
        return
    need, missing = disk_need(study, registry), len(_missing(study, registry))
    free = shutil.disk_usage(here).free / GIB
    words = f"{free:,.0f} GiB free, about {need:,.0f} needed ({missing} models to fetch)"
    yield (
        Check("ok", "disk", words)
        if free > need
        else Check("stop", "disk", words, "free some, or choose another place with --runs and HF_HOME")
    )


def disk_need(study: Study, registry: Registry) -> float:
    """GiB of records, checkpoints, and weights that are still to be fetched."""
    weights = sum(map(weights_gib, _missing(study, registry)))
    jobs = [job.options for job in study.tune_jobs.values() if job.base in hub_models(study, registry)]
    return RECORDS_GIB + weights + sum(map(checkpoint_gib, jobs))


def disk_words(study: Study, registry: Registry) -> str:
    """The disk that a study takes, for its plan."""
    missing = _missing(study, registry)
    weights = sum(map(weights_gib, missing))
    count = f"{len(missing)} model{'s' * (len(missing) > 1)}"
    fetched = f", {weights:,.{0 if weights > 2 else 1}f} of them weights to fetch ({count})" if missing else ""
    return f"~{disk_need(study, registry):,.0f} GiB of disk{fetched}"


def _missing(study: Study, registry: Registry) -> list[str]:
    found = dict.fromkeys(hub_models(study, registry).values())  # blocks that differ in sampling read the same weights
    return [model for model in found if not is_cached(model)]


def hub_models(study: Study, registry: Registry) -> dict[str, str]:
    """Name in the study -> name on the hub, of each model whose weights come from there."""
    found = {}
    for name, block in study.models.items():
        on_hub = loads_weights(registry.schema("models", block.using))
        if on_hub and not block.ships and not Path(block.model).expanduser().is_dir():
            found[name] = block.model
    return found


def is_cached(model: str) -> bool:
    """Whether the hub's cache on this machine has a model's settings, and so most likely its weights."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:  # an install without local models has no cache of them
        return False
    return isinstance(try_to_load_from_cache(model, "config.json"), str)


def weights_gib(model: str) -> float:
    """Size of a model's weights in 16 bits, GiB, by the billions or millions in its name; 16 where the name says none."""
    billions = billions_in(model)
    return billions * 2e9 / GIB if billions else 16.0


def checkpoint_gib(job: Mapping[str, Any]) -> float:
    """An adapter of a 7-8B model with the optimiser's state, GiB: 42 million weights at rank 16, 12 bytes each, twice."""
    rank = int((job.get("lora") or {}).get("rank", 16))
    return 42e6 * rank / 16 * 12 * 2 / GIB


def _hub_token() -> bool:
    try:
        from huggingface_hub import get_token
    except ImportError:
        return False
    return bool(get_token())
