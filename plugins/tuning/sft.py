"""`sft`: supervised fine-tuning of a local model on a corpus, one LoRA adapter for each seed (TRL and PEFT)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.digests import digest
from cbtrun.errors import StageError
from cbtrun.hookspecs import hookimpl
from cbtrun.plugins.local_models.model_files import ModelFiles, find_model, load_tokenizer, weights_place
from cbtrun.plugins.tuning.adapter_folder import clear_stale, finished_adapter, write_adapter
from cbtrun.plugins.tuning.sft_base import check_disk, open_base
from cbtrun.plugins.tuning.sft_options import NOT_DECIDING, SCHEMA
from cbtrun.plugins.tuning.training_rows import UNTRAINED, TrainingRows, held_out_personas, training_rows
from cbtrun.plugins.tuning.tune_memory import check_memory
from cbtrun.records import Adapter

if TYPE_CHECKING:
    from cbtrun.context import BlockContext, StageContext
    from cbtrun.errors import Problem
    from cbtrun.planning import Plan, PlanContext
    from cbtrun.plugins.tuning.sft_training import Trained
    from cbtrun.records import Json


@dataclass(frozen=True)
class Job:
    """What all seeds of a tune job have in common."""

    files: ModelFiles
    rows: TrainingRows
    held_out: TrainingRows
    personas_held_out: tuple[str, ...]
    corpus: str
    """Digest of the transcripts."""
    tokenizer: Any


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of a block under `tune`."""
    return SCHEMA if stage == "tune" else None


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """A base that is not a local model."""
    if context.stage != "tune":
        return []
    base = (context.study.get("models") or {}).get(context.options.get("base"), {})
    if base.get("using", "transformers") == "transformers":
        return []
    return [context.problem(f"only a `transformers` model can be tuned; this one is `{base['using']}`", "base")]


@hookimpl
def plan_block(context: PlanContext) -> Plan | None:
    """An adapter for each seed, and the memory that one training needs."""
    if context.stage != "tune":
        return None
    from cbtrun.planning import Plan
    from cbtrun.plugins.tuning.tune_memory import memory_note

    source = weights_place(context.study["models"][context.options["base"]]["model"])
    return Plan(units=len(context.options["seeds"]), notes=(memory_note(context.name, source, context.options),))


@hookimpl
def tune_model(context: StageContext) -> list[Adapter]:
    """One adapter for each seed. A finished one is kept, a stopped one goes on from its last checkpoint."""
    job = _job(context)
    return [_adapter(context, job, place, seed) for place, seed in enumerate(context.options["seeds"])]


def _job(context: StageContext) -> Job:
    options = context.options
    transcripts = context.corpus(options["corpus"])
    base = context.study["models"][options["base"]]
    files = find_model(base["model"], base.get("revision"))
    tokenizer = load_tokenizer(files)
    apart = held_out_personas(transcripts, options["held_out"]["share"], context.seed)
    rows, held_out = (
        training_rows(tokenizer, chosen, options["max_length"], options["long"], options["carry"])
        for chosen in (
            [one for one in transcripts if one.persona not in apart],
            [one for one in transcripts if one.persona in apart],
        )
    )
    if not rows.rows:
        raise StageError(f"corpus '{options['corpus']}' holds no turn of a therapist: there is nothing to train on")
    return Job(files, rows, held_out, tuple(sorted(apart)), digest(transcripts), tokenizer)


def _adapter(context: StageContext, job: Job, place: int, seed: int) -> Adapter:
    options = context.options
    folder = context.folder / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    inputs = _inputs(options, job, seed)
    found = finished_adapter(folder, inputs)
    if found is None:
        found = _train(context, job, place, seed, folder, inputs)
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
    return digest([_deciding(options), base, job.corpus, job.personas_held_out, seed])


def _deciding(options: Mapping[str, Any]) -> dict[str, Any]:
    unused = [
        *(["epochs"] if options.get("max_steps") else []),
        *(["gradient_accumulation"] if options.get("batch_tokens") else []),
    ]
    return {key: value for key, value in options.items() if key not in (*NOT_DECIDING, *unused)}


def _train(context: StageContext, job: Job, place: int, seed: int, folder: Path, inputs: str) -> str:
    from cbtrun.plugins.tuning.sft_training import train

    options = context.options
    checkpoints = folder / f"checkpoints-{inputs[:16]}"
    clear_stale(folder, keep=checkpoints)

    def tell(step: int, steps: int, detail: str) -> None:
        context.advance(place * steps + step, len(options["seeds"]) * steps, detail)

    check_memory(job.files.source, options)
    check_disk(folder, job.files.source, options)
    base = open_base(job.files, options)
    trained = train(base, job.tokenizer, job.rows.rows, job.held_out.rows, options, seed, checkpoints, tell)
    lock = _lock(options, job, seed, inputs, trained, getattr(base.config, "_commit_hash", None))
    found = write_adapter(trained.model, folder, job.files.public_name, lock, trained.log)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return found


def _lock(
    options: Mapping[str, Any], job: Job, seed: int, inputs: str, trained: Trained, commit: str | None
) -> dict[str, Any]:
    """What the adapter was made from, for people and for `finished_adapter`."""
    losses = [entry["loss"] for entry in trained.log]
    looks = [entry["held_out_loss"] for entry in trained.log if "held_out_loss" in entry]
    return {
        "inputs": inputs,
        "base": {"model": job.files.public_name, "revision": commit, "digest": job.files.digest},
        "corpus": {
            "digest": job.corpus,
            "rows": len(job.rows.rows),
            "tokens": sum(len(row.input_ids) for row in job.rows.rows),
            "tokens_with_loss": sum(label != UNTRAINED for row in job.rows.rows for label in row.labels),
            **{f"transcripts_{name}": count for name, count in asdict(job.rows.counts).items() if name != "turns_lost"},
            "therapist_turns_lost": job.rows.counts.turns_lost,
            "rows_held_out": len(job.held_out.rows),
            "personas_held_out": list(job.personas_held_out),
        },
        "seed": seed,
        "options": _deciding(options),
        "steps": len(losses),
        "tokens_seen": trained.log[-1]["tokens"],
        "loss": {"first": losses[0], "last": losses[-1]},
        **({"held_out_loss": {"first": looks[0], "last": looks[-1]}} if looks else {}),
        "versions": {name: version(name) for name in ("torch", "transformers", "trl", "peft")},
    }
