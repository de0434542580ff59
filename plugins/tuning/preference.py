"""`preference`: tuning on pairs of turns, of which one was preferred, by DPO or ORPO (TRL and PEFT)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cbtrun.plugin import StageError, digest, hookimpl
from cbtrun.plugins.local_models.engine_early import engine_early
from cbtrun.plugins.local_models.gguf_model import weights_named
from cbtrun.plugins.local_models.model_files import find_model, load_tokenizer
from cbtrun.plugins.local_models.trained_prompt import trained_prompt
from cbtrun.plugins.tuning import sft
from cbtrun.plugins.tuning.preference_rows import PreferenceRows, preference_rows
from cbtrun.plugins.tuning.sft_options import BATCHES, HELD_OUT, KEEPING, LORA, MACHINE, OPTIMISING, option
from cbtrun.plugins.tuning.training_rows import held_out_personas
from cbtrun.plugins.tuning.tune_job import Job, train_adapters

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

SCHEMA: Json = {
    "type": "object",
    "required": ["base", "corpus"],
    "additionalProperties": False,
    "properties": {
        "base": option("string", "The model to tune: a `transformers` model of the study.", **{"x-names": "models"}),
        "corpus": option(
            "string",
            "Pairs: transcripts that end with the preferred turn and hold another as `rejected` (`using: compared-turns`, "
            "or `files` with a column for it).",
            **{"x-names": "corpus"},
        ),
        "method": {
            "enum": ["dpo", "orpo"],
            "default": "dpo",
            "description": "dpo compares with the untuned base (Rafailov et al. 2023, arXiv:2305.18290); orpo needs none: "
            "it learns the preferred turn and its odds at once (Hong et al. 2024, arXiv:2403.07691).",
        },
        "beta": option(
            "number",
            "dpo: how closely the model stays with its base. orpo: weight of the odds against the likelihood.",
            exclusiveMinimum=0,
            default=0.1,
        ),
        "lora": LORA,
        **OPTIMISING,
        "learning_rate": {**OPTIMISING["learning_rate"], "default": 5e-5},
        **{name: BATCHES[name] for name in ("batch_size", "gradient_accumulation")},
        "max_length": {
            **BATCHES["max_length"],
            "description": "Most tokens of what was said before and one turn together; longer pairs are left out.",
        },
        "held_out": HELD_OUT,
        **MACHINE,
        **KEEPING,
    },
}

UNPACKED = {"packing": False, "long": "drop", "carry": 0}
"""What `sft` has options for, and pairs do not need."""


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of a block under `tune`."""
    return SCHEMA if stage == "tune" else None


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """A base that is not a local model."""
    return sft.check_block(context)


@hookimpl
def check_before_run(context: BlockContext) -> list[Problem]:
    """As `sft`."""
    return sft.check_before_run(context)


@hookimpl
def lacking_here(context: BlockContext) -> list[str]:
    """As `sft`."""
    return sft.lacking_here(context)


@hookimpl
def doctor_checks(context: BlockContext) -> list[Check]:
    """As `sft`."""
    return sft.doctor_checks(context)


@hookimpl
def plan_block(context: PlanContext) -> Plan | None:
    """An adapter for each seed, and the memory that one training needs."""
    return sft.plan_block(context)


@hookimpl
def stages_at_once(context: BlockContext) -> int | None:
    """As `sft`."""
    return sft.stages_at_once(context)


@hookimpl
def export_adapter(context: ExportContext) -> Path:
    """As `sft`."""
    return sft.export_adapter(context)


@hookimpl
def run_stopping() -> None:
    """As `sft`."""
    sft.run_stopping()


@hookimpl
def tune_model(context: StageContext) -> list[Adapter]:
    """One adapter for each seed. A finished one is kept, a stopped one goes on from its last checkpoint."""
    return train_adapters(context, _job(context))


def _job(context: StageContext) -> Job:
    options = {**context.options, **UNPACKED}
    transcripts = context.corpus(options["corpus"])
    base = context.study.models[options["base"]]
    files = find_model(weights_named(base.options), base.options.get("revision"))
    if context.workplace is None:
        engine_early(base.using, files.source, base.options)
    tokenizer = load_tokenizer(files)
    apart = held_out_personas(transcripts, options["held_out"]["share"], context.seed)
    pairs, held_out = (
        preference_rows(tokenizer, chosen, options["max_length"])
        for chosen in (
            [one for one in transcripts if one.persona not in apart],
            [one for one in transcripts if one.persona in apart],
        )
    )
    if not pairs.rows:
        raise StageError(
            f"corpus '{options['corpus']}' holds no pair to train on: {pairs.unpaired} transcripts have no turn that was "
            f"liked less, {pairs.dropped} pairs are longer than max_length"
        )
    if too_long := pairs.dropped + held_out.dropped:
        context.left_out["pairs longer than max_length left out"] = too_long
    data = digest(transcripts)
    told = _told(data, pairs, held_out, sorted(apart))
    prompt = trained_prompt(tokenizer, transcripts)
    return Job(files, pairs.rows, held_out.rows, data, tokenizer, told, options, weights_named(base.options), prompt)


def _told(data: str, pairs: PreferenceRows, held_out: PreferenceRows, apart: list[str]) -> dict[str, Any]:
    """What the lock file says of the corpus."""
    return {
        "digest": data,
        "pairs": len(pairs.rows),
        "pairs_too_long": pairs.dropped,
        "transcripts_without_pair": pairs.unpaired,
        "pairs_held_out": len(held_out.rows),
        "personas_held_out": apart,
    }
