"""A tune job, whatever it learns from: an adapter for each seed, kept when finished, continued when stopped."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import Adapter, digest
from cbtrun.plugins.local_models.device_pool import POOL, device_count
from cbtrun.plugins.local_models.engine_early import this_process_waits
from cbtrun.plugins.local_models.gpus import visible_gpus
from cbtrun.plugins.local_models.model_files import ModelFiles
from cbtrun.plugins.local_models.trained_prompt import TrainedPrompt, write_prompt
from cbtrun.plugins.tuning.adapter_folder import clear_stale, finish_adapter, finished_adapter, save_weights
from cbtrun.plugins.tuning.disk_full import told_when_full
from cbtrun.plugins.tuning.elsewhere import seats_of, trained_elsewhere
from cbtrun.plugins.tuning.sft_base import check_disk, open_base
from cbtrun.plugins.tuning.sft_options import NOT_DECIDING
from cbtrun.plugins.tuning.tune_memory import check_memory
from cbtrun.plugins.tuning.tune_worker import ADAPTER, MODULE, TRAINED, WorkPlan, write_plan
from cbtrun.plugins.tuning.warm_worker import alike, keep, may_follow, warm_worker
from cbtrun.plugins.tuning.worker_processes import end_all, run_together

if TYPE_CHECKING:
    from cbtrun.plugin import StageContext, Workplace
    from cbtrun.plugins.tuning.sft_watch import Tell

IN_PROCESS = threading.Lock()
"""Trainings inside this process share one random state: one at a time."""


@dataclass(frozen=True)
class Job:
    """What all seeds of a tune job have in common."""

    files: ModelFiles
    rows: tuple[Any, ...]
    """What is trained on: TrainingRow or PreferenceRow."""
    held_out: tuple[Any, ...]
    data: str
    """Digest of what the rows were made from."""
    tokenizer: Any
    told: Mapping[str, Any]
    """About the data, for the lock file."""
    options: Mapping[str, Any]
    """The block's, and what its plugin fixes."""
    named: str = ""
    """The base as the study names it: another machine looks for it by this name."""
    prompt: TrainedPrompt | None = None
    """A prompt of the corpus, as it is rendered for training."""


@dataclass(frozen=True)
class Made:
    """A training's adapter, not yet in its place."""

    folder: Path
    told: Mapping[str, Any]
    """What its training says of it: see `Trained.told`."""


def train_adapters(context: StageContext, job: Job) -> list[Adapter]:
    """One adapter for each seed; side by side where there are GPUs for several. Raises StageError for the first failed.

    Another seed's failure ends none: what is finished is kept for the next run.
    """
    options = job.options
    context.advance(0, None, "loading libraries and the base model")
    devices, seeds = device_count(options), options["seeds"]
    seats = min(len(seeds), seats_of(options, devices))
    progress = _Progress(context, len(seeds))
    if seats < 2:
        return [_adapter(context, job, seed, devices, progress.of(place)) for place, seed in enumerate(seeds)]
    with ThreadPoolExecutor(max_workers=seats) as side_by_side:
        waiting = [
            side_by_side.submit(_adapter, context, job, seed, devices, progress.of(place))
            for place, seed in enumerate(seeds)
        ]
        try:
            wait(waiting)
        except BaseException:
            side_by_side.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise
        return [one.result() for one in waiting]


class _Progress:
    """Steps of all seeds, added up for the progress line."""

    def __init__(self, context: StageContext, seeds: int) -> None:
        self._context, self._seeds = context, seeds
        self._done: dict[int, int] = {}

    def of(self, place: int) -> Tell:
        """What a seed's training tells its steps to."""

        def tell(step: int, steps: int, detail: str) -> None:
            # Seeds before this one that told nothing were finished earlier.
            self._done.update({before: steps for before in range(place) if before not in self._done})
            self._done[place] = step
            self._context.advance(sum(self._done.values()), self._seeds * steps, detail)

        return tell


def _adapter(context: StageContext, job: Job, seed: int, devices: int, tell: Tell) -> Adapter:
    options = job.options
    folder = context.folder / f"seed-{seed}"
    place = context.workplace
    folder.mkdir(parents=True, exist_ok=True)
    inputs = _inputs(options, job, seed)
    found = finished_adapter(folder, inputs)
    if found is None:
        with told_when_full(folder):
            found = _train(options, job, seed, folder, inputs, devices, tell, place)
    several = len(options["seeds"]) > 1
    return Adapter(
        name=f"{context.name}@{seed}" if several else context.name,
        base=options["base"],
        folder=folder.relative_to(context.folder.parent.parent).as_posix(),
        digest=found,
        seed=seed,
    )


def _inputs(options: Mapping[str, Any], job: Job, seed: int) -> str:
    """Digest of all that decides an adapter."""
    base = job.files.digest or [job.files.source, job.files.revision]
    return digest([_deciding(options), base, job.data, job.told.get("personas_held_out"), seed])


def _deciding(options: Mapping[str, Any]) -> dict[str, Any]:
    unused = [
        *(["epochs"] if options.get("max_steps") else []),
        *(["gradient_accumulation"] if options.get("batch_tokens") else []),
    ]
    return {key: value for key, value in options.items() if key not in (*NOT_DECIDING, *unused)}


def _train(
    options: Mapping[str, Any],
    job: Job,
    seed: int,
    folder: Path,
    inputs: str,
    devices: int,
    tell: Tell,
    place: Workplace | None,
) -> str:
    checkpoints = folder / f"checkpoints-{inputs[:16]}"
    clear_stale(folder, keep=checkpoints)
    if place is None:
        check_memory(job.files.source, options, devices)
    check_disk(folder, job.files.source, options)
    plan = WorkPlan(job.files, options, seed, devices, str(checkpoints))
    gpus = visible_gpus(options)
    if place is not None:
        write_plan(folder / "work", plan, job.rows, job.held_out)
        trained = trained_elsewhere(place, plan, job.named, folder, tell)
        made = Made(folder / "making", trained)
    elif devices == 1 and not gpus:
        with IN_PROCESS:
            made = _made_here(plan, job, folder, tell)
    else:
        # A process of its own gives all of the GPU's memory back: an engine that opens next needs it.
        with POOL.take(gpus, devices) as own:
            made = _made_by_workers(plan, job, folder, own, tell)
    write_prompt(folder, job.prompt)
    found = finish_adapter(
        made.folder, folder, job.files.public_name, _lock(plan, job, inputs, made.told), made.told["log"]
    )
    shutil.rmtree(checkpoints, ignore_errors=True)
    return found


def _made_here(plan: WorkPlan, job: Job, folder: Path, tell: Tell) -> Made:
    from cbtrun.plugins.tuning.sft_training import train

    base = open_base(plan.files, plan.options)
    trained = train(base, job.tokenizer, job.rows, job.held_out, plan.options, plan.seed, Path(plan.checkpoints), tell)
    save_weights(trained, folder / "making")
    return Made(folder / "making", trained.told())


def _made_by_workers(plan: WorkPlan, job: Job, folder: Path, gpus: tuple[str, ...], tell: Tell) -> Made:
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    if plan.devices > 1:
        write_plan(work, plan, job.rows, job.held_out)
        run_together(MODULE, work, plan.devices, gpus, tell)
    else:
        worker = warm_worker(gpus, alike(plan.files, plan.options))  # it starts while the rows are written
        write_plan(work, plan, job.rows, job.held_out)
        this_process_waits()
        worker.train(work, tell)
        keep(worker) if may_follow(plan.options) else worker.end()
    trained = json.loads((work / TRAINED).read_text(encoding="utf-8"))
    making = (work / ADAPTER).rename(folder / "making")
    shutil.rmtree(work)
    return Made(making, trained)


def _lock(plan: WorkPlan, job: Job, inputs: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """What the adapter was made from, for people and for `finished_adapter`."""
    log, probes, before = told["log"], told["probes"], told["loss_before"]
    losses = [entry["loss"] for entry in log]
    looks = [
        *([before] if before is not None else []),
        *(one["held_out_loss"] for one in log if "held_out_loss" in one),
    ]
    return {
        "inputs": inputs,
        "base": {"model": job.files.public_name, "revision": told["commit"], "digest": job.files.digest},
        "corpus": dict(job.told),
        "seed": plan.seed,
        "devices": plan.devices,
        "options": _deciding(plan.options),
        "steps": len(losses),
        "trainable_parameters": told["trainable_parameters"],
        "tokens_seen": log[-1]["tokens"],
        "loss": {"first": losses[0], "last": losses[-1]},
        **({"held_out_loss": {"first": looks[0], "last": looks[-1]}} if looks else {}),
        "probes": {  # mean log-probability a token of some turns, which whoever speaks with the adapter computes anew
            "turns": len(probes),
            **{
                name: round(fmean(values), 4)
                for name, values in zip(("base", "tuned"), zip(*probes, strict=True), strict=False)
            },
        },
        "versions": {name: version(name) for name in ("torch", "transformers", "trl", "peft")},
    }
