"""A tune job by reinforcement: an adapter for each seed, kept when finished, continued when stopped."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import Adapter, ModelError, StageError, digest, rubric_digest
from cbtrun.plugins.local_models.engine_early import engine_early
from cbtrun.plugins.local_models.gguf_model import weights_named
from cbtrun.plugins.local_models.model_files import ModelFiles, find_model, load_tokenizer
from cbtrun.plugins.local_models.turn_probes import write_probes
from cbtrun.plugins.tuning.adapter_folder import clear_stale, finish_adapter, finished_adapter
from cbtrun.plugins.tuning.asked_sessions import AskedSessions
from cbtrun.plugins.tuning.disk_full import told_when_full
from cbtrun.plugins.tuning.grpo_course import STEPS
from cbtrun.plugins.tuning.grpo_options import NOT_DECIDING, tuning_options
from cbtrun.plugins.tuning.grpo_stops import lacks_total
from cbtrun.plugins.tuning.grpo_talk import dialogue_options
from cbtrun.plugins.tuning.grpo_trainer import POLICY, Training, save_policy, train_by_reinforcement
from cbtrun.plugins.tuning.held_sessions import HeldSessions, Talks
from cbtrun.plugins.tuning.reliable_items import chosen_items
from cbtrun.plugins.tuning.session_rewards import Judges, Outcome, missing_items, outcomes_of, works_of
from cbtrun.plugins.tuning.session_rows import SessionFormat
from cbtrun.plugins.tuning.sft_base import check_disk, open_base
from cbtrun.plugins.tuning.tune_job import IN_PROCESS

if TYPE_CHECKING:
    from cbtrun.plugin import Persona, StageContext
    from cbtrun.plugins.tuning.trained import Trained

DECIDES_NOTHING = ("api_key_env", "limits", "prices", "timeout_seconds", "threads")
"""Of a model's block."""


@dataclass(frozen=True)
class ReinforcedJob:
    """What all seeds of the job have in common."""

    files: ModelFiles
    base: str
    """Name of the base in the study's `models`."""
    start: Mapping[int, Adapter] | None
    """Seed of this job -> the adapter that it goes on with; none where it starts from the base."""
    tokenizer: Any
    form: SessionFormat
    talk: Mapping[str, Any]
    personas: tuple[Persona, ...]
    judges: Judges
    """Without its models: those are opened by the run of each seed."""
    inputs: str
    """Digest of all that decides an adapter, but the seed and the adapter that it starts from."""


def reinforced_job(context: StageContext) -> ReinforcedJob:
    """The job of a block, everything looked at that can be before any work. Raises StageError and ModelError."""
    options, study = context.options, context.study
    base = study.base_of(options["start"])
    block = study.models[base]
    files = find_model(weights_named(block.options), block.options.get("revision"))
    if context.workplace is None:
        engine_early(block.using, files.source, block.options)
    tokenizer = load_tokenizer(files)
    try:
        form = SessionFormat(tokenizer)
    except ModelError as error:
        raise StageError(f"tune.{context.name}: model '{base}': {error}") from error
    personas = tuple(context.personas(options["personas"]))
    if len(personas) < options["personas_per_step"]:
        raise StageError(
            f"tune.{context.name}: personas_per_step is {options['personas_per_step']}, and set '{options['personas']}' has "
            f"{len(personas)}"
        )
    judges, talk = judges_of(context), dialogue_options(study, options)
    inputs = digest([_deciding(context), files.digest or [files.source, files.revision], talk, personas, _told(judges)])
    return ReinforcedJob(files, base, _starts(context), tokenizer, form, talk, personas, judges, inputs)


def _deciding(context: StageContext) -> list[Any]:
    options, models = context.options, context.study.models
    asked = [options["patient"], *(rater for one in context.judges.values() for rater in one["raters"])]
    blocks = [
        {k: v for k, v in models[name].options.items() if k not in DECIDES_NOTHING} for name in asked if name in models
    ]
    return [{key: value for key, value in options.items() if key not in NOT_DECIDING}, blocks, dict(context.judges)]


def _told(judges: Judges) -> list[Any]:
    rubrics = {name: rubric_digest(work.rubric) for name, work in judges.works.items()}
    return [rubrics, list(judges.items)]


def _starts(context: StageContext) -> dict[int, Adapter] | None:
    """For each seed the adapter of the same seed, or else the first."""
    named, _, seed = context.options["start"].partition("@")
    if named not in context.study.tune_jobs or context.options["start"] in context.study.models:
        return None
    adapters = {one.seed: one for one in context.adapters(named)}
    only = adapters[int(seed)] if seed else None
    first = next(iter(adapters.values()))
    return {one: only or adapters.get(one, first) for one in context.options["seeds"]}


def judges_of(context: StageContext) -> Judges:
    """The rating sets of a block; its raters are not opened yet. Raises StageError for what their rubrics do not have."""
    options = context.options
    rubrics = {one["rubric"]: context.rubric(one["rubric"]) for one in context.judges.values()}
    works = works_of(context.judges, rubrics)
    by_set = {name: work.rubric for name, work in works.items()}
    reward = options["reward"]
    set_name = reward["rating"]
    items = chosen_items(reward.get("items"), set_name, by_set[set_name])
    known = {one.name for one in outcomes_of(set_name, by_set)} | {*by_set[set_name].subscales}
    known |= {item.id for item in by_set[set_name].items if item.type != "text"}
    if wrong := [*missing_items(by_set[set_name], items), *([] if reward["outcome"] in known else [reward["outcome"]])]:
        raise StageError(
            f"tune.{context.name}: rubric '{by_set[set_name].name}' has no score '{wrong[0]}' to be rewarded"
        )
    witness = tuple(one for named in options["witness"] for one in outcomes_of(named, by_set))
    if why := lacks_total(options, [str(one) for one in witness]):
        raise StageError(f"tune.{context.name}: {why}")
    veto = outcomes_of(options["veto"], by_set)[0] if options.get("veto") else None
    judges = Judges(works, {}, Outcome(set_name, reward["outcome"]), items, witness, veto, reward["panel"] == "cyclic")
    judges.scale()
    return judges


async def reinforce(context: StageContext, job: ReinforcedJob) -> list[Adapter]:
    """One adapter for each seed, one after the other: they share the engine and the card."""
    seeds = context.options["seeds"]
    found = []
    for place, seed in enumerate(seeds):

        def tell(step: int, steps: int, detail: str, place: int = place) -> None:
            context.advance(place * steps + step, len(seeds) * steps, detail)

        found.append(await _adapter(context, job, seed, tell))
    return found


async def _adapter(
    context: StageContext, job: ReinforcedJob, seed: int, tell: Callable[[int, int, str], None]
) -> Adapter:
    folder = context.folder / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    start = job.start[seed] if job.start is not None else None
    inputs = digest([job.inputs, seed, start.digest if start is not None else None])
    found = finished_adapter(folder, inputs)
    if found is None:
        with told_when_full(folder):
            found = await _train(context, job, seed, folder, inputs, tell)
    several = len(context.options["seeds"]) > 1
    return Adapter(
        name=f"{context.name}@{seed}" if several else context.name,
        base=job.base,
        folder=folder.relative_to(context.folder.parent.parent).as_posix(),
        digest=found,
        seed=seed,
    )


async def _train(
    context: StageContext,
    job: ReinforcedJob,
    seed: int,
    folder: Path,
    inputs: str,
    tell: Callable[[int, int, str], None],
) -> str:
    checkpoints = folder / f"checkpoints-{inputs[:16]}"
    if not checkpoints.exists():  # of other inputs: its steps are not this training's
        for stale in [folder / STEPS, *folder.glob("sessions-*.words.json"), *folder.glob("step-*")]:
            shutil.rmtree(stale) if stale.is_dir() else stale.unlink(missing_ok=True)
    clear_stale(folder, keep=checkpoints)
    checkpoints.mkdir(exist_ok=True)
    options = tuning_options(context.options)
    check_disk(folder, job.files.source, options)
    start = job.start[seed] if job.start is not None else None
    place = context.folder.parent.parent / start.folder if start is not None else None
    talks = Talks(
        context.name, seed, job.talk, job.personas, context.options["personas_per_step"], context.options["group"]
    )
    # What a training imports is imported before any model talks: two threads that ask transformers at once break it.
    base = await asyncio.to_thread(_opened, job, options, place)
    training = Training(base, job.tokenizer, options, seed, folder, checkpoints, job.files.public_name)
    async with HeldSessions(context, talks, job.base, context.options["temperature"], job.form) as sessions:
        asked = AskedSessions(
            asyncio.get_running_loop(),
            sessions,
            _opening(context, job.judges),
            context.options,
            seed,
            folder,
            job.tokenizer.pad_token_id,
            tuple(item.name for item in job.judges.works[job.judges.reward.set].rubric.items),
        )
        try:
            trained = await asyncio.to_thread(_in_turn, training, asked, tell)
        finally:
            asked.ended = True
    save_policy(trained.model, folder / "making", job.files.public_name)
    write_probes(folder / "making", trained.probes)
    lock = _lock(context, job, seed, inputs, trained)
    found = finish_adapter(folder / "making", folder, job.files.public_name, lock, trained.log)
    shutil.rmtree(checkpoints, ignore_errors=True)
    shutil.rmtree(folder / POLICY, ignore_errors=True)
    del trained, training, base
    _give_back()
    return found


def _give_back() -> None:
    """The card's memory: the engine of the next seed, and of the sessions, needs it."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _in_turn(training: Training, asked: AskedSessions, tell: Callable[[int, int, str], None]) -> Trained:
    with IN_PROCESS:
        return train_by_reinforcement(training, asked, tell)


def _opened(job: ReinforcedJob, options: Mapping[str, Any], start: Path | None) -> Any:
    """The base, with the adapter that is trained on."""
    import trl.trainer.grpo_trainer  # noqa: F401 - see the caller

    base = open_base(job.files, options)
    if start is None:
        return base
    from cbtrun.plugins.local_models.model_files import with_trainable_adapter

    return with_trainable_adapter(base, start)


def _opening(context: StageContext, judges: Judges) -> Callable[[AsyncExitStack], Awaitable[Judges]]:
    """Opens the raters of the judges, each once."""
    from dataclasses import replace

    async def opened(stack: AsyncExitStack) -> Judges:
        names = dict.fromkeys(rater for work in judges.works.values() for rater in work.options["raters"])
        calls = {name: await stack.enter_async_context(context.model(name)) for name in names}
        return replace(judges, calls=calls)

    return opened


def _lock(context: StageContext, job: ReinforcedJob, seed: int, inputs: str, trained: Trained) -> dict[str, Any]:
    """What the adapter was made from, for people and for `finished_adapter`."""
    start = job.start[seed] if job.start is not None else None
    told = trained.told()
    rewards = [one["reward"] for one in told["log"] if one["reward"] is not None]
    judges = job.judges
    return {
        "inputs": inputs,
        "base": {"model": job.files.public_name, "revision": told["commit"], "digest": job.files.digest},
        **({"start": {"job": start.name, "adapter": start.digest}} if start is not None else {}),
        "personas": len(job.personas),
        "reward": {
            "outcome": str(judges.reward),
            **({"items": list(judges.items)} if judges.items else {}),
            "rubrics": {name: rubric_digest(work.rubric) for name, work in judges.works.items()},
            **({"first": rewards[0], "last": rewards[-1]} if rewards else {}),
        },
        "seed": seed,
        "options": {key: value for key, value in context.options.items() if key not in NOT_DECIDING},
        "steps": len(told["log"]),
        "stopped": trained.stopped,
        "trainable_parameters": told["trainable_parameters"],
        "tokens_seen": sum(one["tokens"] for one in told["log"]),
        "versions": {name: version(name) for name in ("torch", "transformers", "trl", "peft")},
    }
