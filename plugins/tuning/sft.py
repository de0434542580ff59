"""`sft`: supervised fine-tuning of a local model on a corpus, one LoRA adapter for each seed (TRL and PEFT)."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import ModelError, StageError, digest, hookimpl
from cbtrun.plugins.tuning.sft_options import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from cbtrun.plugin import (
        Adapter,
        BlockContext,
        Check,
        ExportContext,
        Json,
        Plan,
        PlanContext,
        Problem,
        StageContext,
    )
    from cbtrun.plugins.tuning.training_rows import TrainingRows
    from cbtrun.plugins.tuning.tune_job import Job


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of a block under `tune`."""
    return SCHEMA if stage == "tune" else None


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """A base that is no local model, layers that it does not have, a chat template that cannot be trained on."""
    if context.stage != "tune":
        return []
    base = context.study.models.get(context.options.get("base", ""))
    if base is None:
        return []
    if base.using in ("transformers", "vllm"):
        from cbtrun.plugins.local_models.gguf_model import weights_named

        return [
            *_layer_problems(context, weights_named(base.options)),
            *(_template_problems(context) if not base.ships else ()),
        ]
    return [context.problem(f"only a `transformers` or `vllm` model can be tuned; this one is `{base.using}`", "base")]


def _layer_problems(context: BlockContext, model: str) -> list[Problem]:
    """What is wrong with the layers that are named, as far as a base's folder tells; its own faults are the model's."""
    wanted = context.options.get("lora", {}).get("target_modules")
    if not isinstance(wanted, list):
        return []
    from cbtrun.plugins.local_models.model_files import model_folder
    from cbtrun.plugins.local_models.target_layers import folder_layer_problems

    try:
        folder = model_folder(model)
        problems = folder_layer_problems(folder, wanted) if folder is not None else []
    except ModelError:
        return []
    return [context.problem(what, "lora", "target_modules") for what in problems]


def _template_problems(context: BlockContext) -> list[Problem]:
    """Of a template that is not ours: Jinja takes a tenth of a second to import."""
    from cbtrun.plugins.local_models.thinking_template import template_problems

    return template_problems(context)


@hookimpl
def check_before_run(context: BlockContext) -> list[Problem]:
    """A base on the hub whose chat template cannot be trained on: told before the corpus is paid for."""
    base = context.study.models.get(context.options.get("base", "")) if context.stage == "tune" else None
    if base is None or base.ships:
        return []
    from cbtrun.plugins.local_models.thinking_template import template_problems

    return template_problems(context, fetch=True)


@hookimpl
def lacking_here(context: BlockContext) -> list[str]:
    """Extras, trackers and GPUs that are missing."""
    if context.stage != "tune":
        return []
    from cbtrun.plugins.tuning.tune_requirements import lacking

    return lacking(context.options)


@hookimpl
def doctor_checks(context: BlockContext) -> list[Check]:
    """Whether the training finds enough GPU memory here."""
    if context.stage != "tune":
        return []
    from cbtrun.plugins.local_models.gguf_model import weights_named
    from cbtrun.plugins.local_models.model_files import weights_place
    from cbtrun.plugins.tuning.tune_memory import memory_checks

    source = weights_place(weights_named(context.study.models[context.options["base"]].options))
    return memory_checks(context.name, source, context.options)


@hookimpl
def plan_block(context: PlanContext) -> Plan | None:
    """An adapter for each seed, and the memory that one training needs."""
    if context.stage != "tune":
        return None
    from cbtrun.plugin import Plan
    from cbtrun.plugins.local_models.device_pool import planned_devices
    from cbtrun.plugins.local_models.gguf_model import weights_named
    from cbtrun.plugins.local_models.model_files import weights_place
    from cbtrun.plugins.tuning.tune_memory import memory_note

    options = context.options
    source = weights_place(weights_named(context.study.models[options["base"]].options))
    note = memory_note(context.name, source, options, planned_devices(options))
    return Plan(units=len(options["seeds"]), notes=(note,))


@hookimpl
def stages_at_once(context: BlockContext) -> int | None:
    """As many jobs as there are GPUs for; without a GPU they train in this process, one after the other."""
    if context.stage != "tune":
        return None
    from cbtrun.plugins.local_models.device_pool import planned_devices
    from cbtrun.plugins.tuning.elsewhere import seats_of

    return max(1, seats_of(context.options, planned_devices(context.options)))


@hookimpl
def export_adapter(context: ExportContext) -> Path:
    """The adapter's files, or its base with the adapter merged in."""
    from cbtrun.plugins.local_models.gguf_model import weights_named
    from cbtrun.plugins.tuning import model_export

    if context.merged:
        base = context.base
        model_export.export_merged(context.source, weights_named(base), base.get("revision"), context.target)
    else:
        model_export.export_adapter(context.source, context.target)
    return context.target


@hookimpl
def run_stopping() -> None:
    """Trainings in processes of their own end; the next run goes on from their checkpoints."""
    from cbtrun.plugins.tuning.worker_processes import end_all

    end_all()


@hookimpl
def tune_model(context: StageContext) -> list[Adapter]:
    """One adapter for each seed. A finished one is kept, a stopped one goes on from its last checkpoint."""
    context.advance(0, None, "loading libraries")
    from cbtrun.plugins.tuning.tune_job import train_adapters

    return train_adapters(context, _job(context))


def _job(context: StageContext) -> Job:
    from cbtrun.plugins.local_models.engine_early import engine_early
    from cbtrun.plugins.local_models.gguf_model import weights_named
    from cbtrun.plugins.local_models.model_files import find_model, load_tokenizer
    from cbtrun.plugins.local_models.trained_prompt import trained_prompt
    from cbtrun.plugins.tuning.kept_rows import KEPT
    from cbtrun.plugins.tuning.training_rows import held_out_personas, training_rows
    from cbtrun.plugins.tuning.tune_job import Job

    options = context.options
    transcripts = context.corpus(options["corpus"])
    base = context.study.models[options["base"]]
    files = find_model(weights_named(base.options), base.options.get("revision"))
    if context.workplace is None:
        engine_early(base.using, files.source, base.options)
    tokenizer = load_tokenizer(files)
    apart = held_out_personas(transcripts, options["held_out"]["share"], context.seed)
    data = digest(transcripts)
    # A model on the hub is told by its commit, a folder's tokenizer and template by their own words.
    written_by = [files.digest, files.source, files.revision, tokenizer.name_or_path, tokenizer.chat_template]
    cut = {name: options[name] for name in ("max_length", "long", "carry")}
    rows, held_out = (
        KEPT.rows(
            [data, sorted(apart), held, written_by, cut],
            partial(training_rows, tokenizer, [one for one in transcripts if (one.persona in apart) is held], **cut),
        )
        for held in (False, True)
    )
    if not rows.rows:
        raise StageError(f"corpus '{options['corpus']}' holds no turn of a therapist: there is nothing to train on")
    told = _told(data, rows, held_out, sorted(apart))
    prompt = trained_prompt(tokenizer, transcripts)
    return Job(files, rows.rows, held_out.rows, data, tokenizer, told, options, weights_named(base.options), prompt)


def _told(data: str, rows: TrainingRows, held_out: TrainingRows, apart: list[str]) -> dict[str, Any]:
    """What the lock file says of the corpus."""
    from cbtrun.plugins.tuning.training_rows import UNTRAINED

    return {
        "digest": data,
        "rows": len(rows.rows),
        "tokens": sum(len(row.input_ids) for row in rows.rows),
        "tokens_with_loss": sum(label != UNTRAINED for row in rows.rows for label in row.labels),
        **{f"transcripts_{name}": count for name, count in asdict(rows.counts).items() if name != "turns_lost"},
        "therapist_turns_lost": rows.counts.turns_lost,
        "rows_held_out": len(held_out.rows),
        "personas_held_out": apart,
    }
