"""One LoRA training run with one of TRL's trainers: checkpoints, resume, progress, and a clear stop when the loss breaks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import StageError
from cbtrun.plugins.local_models.model_files import torch_device, without_known_warnings
from cbtrun.plugins.tuning.adapter_folder import last_checkpoint
from cbtrun.plugins.tuning.learnt import check_learnt, check_loss_mask, check_trainable, probe_turns, turns_of
from cbtrun.plugins.tuning.sft_watch import Tell, curves, loss_before, watcher
from cbtrun.plugins.tuning.trackers import add_trackers, by_transformers
from cbtrun.plugins.tuning.trained import Trained
from cbtrun.plugins.tuning.training_rows import TrainingRow

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import LoraConfig

    from cbtrun.plugins.tuning.preference_rows import PreferenceRow


@dataclass(frozen=True)
class Batches:
    """How rows become optimizer steps."""

    passes: int
    """Passes that make one step (gradient accumulation)."""
    steps: int
    """Optimizer steps of the whole run."""


def batches(options: Mapping[str, Any], rows: int, tokens: int, devices: int = 1) -> Batches:
    """Of so many rows (packs, where they are packed) with so many tokens in all."""
    together = options["batch_size"] * devices
    passes = int(options["gradient_accumulation"])
    if options.get("batch_tokens"):
        passes = max(1, round(options["batch_tokens"] * rows / (tokens * together)))
    if options.get("max_steps"):
        return Batches(passes, int(options["max_steps"]))
    steps: int = math.ceil(options["epochs"] * math.ceil(math.ceil(rows / together) / passes))
    return Batches(passes, max(1, steps))


def train(
    base: Any,
    tokenizer: Any,
    rows: Sequence[TrainingRow],
    held_out: Sequence[TrainingRow],
    options: Mapping[str, Any],
    seed: int,
    folder: Path,
    tell: Tell,
    devices: int = 1,
) -> Trained:
    """Train an adapter, from the last whole checkpoint in `folder` where there is one.

    devices: processes that run this together, each with its own device. Raises StageError when the loss is not finite
    or diverges, or the memory does not suffice.
    """
    import torch

    torch.set_num_threads(options["threads"])
    check_loss_mask(rows)
    checkpoint = last_checkpoint(folder)
    try:
        with without_known_warnings():
            trainer = make_trainer(base, tokenizer, rows, held_out, options, seed, folder, devices)
            trainable = check_trainable(trainer.model)
            trainer.add_callback(watcher(options, trainer.args.max_steps, folder, tell))
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
            weights = _whole_weights(trainer)
            check_learnt(weights or trainer.model.state_dict())
            probes = probe_turns(trainer.model, turns_of(held_out or rows))
    except torch.OutOfMemoryError as error:
        from cbtrun.plugins.tuning.tune_memory import out_of_memory

        raise StageError(out_of_memory(base.config, options, devices)) from error
    history, commit = trainer.state.log_history, getattr(base.config, "_commit_hash", None)
    return Trained(trainer.model, tuple(curves(history)), commit, weights, probes, trainable, loss_before(history))


def _whole_weights(trainer: Any) -> dict[str, Any] | None:
    """The adapter's weights put together, where each process has a part of them; all processes must ask."""
    if not trainer.is_fsdp_enabled:
        return None
    weights: dict[str, Any] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    return weights


def row_kind(options: Mapping[str, Any]) -> type[TrainingRow] | type[PreferenceRow]:
    """What one row of a training is."""
    if "method" in options:
        from cbtrun.plugins.tuning.preference_rows import PreferenceRow

        return PreferenceRow
    return TrainingRow


def make_trainer(
    base: Any,
    tokenizer: Any,
    rows: Sequence[TrainingRow],
    held_out: Sequence[TrainingRow],
    options: Mapping[str, Any],
    seed: int,
    folder: Path,
    devices: int = 1,
) -> Any:
    """TRL's trainer with everything that the options ask for, but without our watcher."""
    from datasets import disable_progress_bars
    from transformers import PrinterCallback, set_seed

    disable_progress_bars()
    set_seed(seed)  # the adapter's first weights are drawn before the trainer sets its own
    kind = _kind(options)
    dataset = kind.dataset(rows)
    tokens = sum(len(row.input_ids) for row in rows) if options.get("batch_tokens") else 0
    batch = batches(options, len(dataset), tokens, devices)
    _prepare(base, options)
    trainer = kind.trainer(
        model=base,
        args=kind.settings(**_settings(options, seed, batch, folder, bool(held_out), devices), **kind.own),
        train_dataset=dataset,
        eval_dataset=kind.dataset(held_out) if held_out else None,
        processing_class=tokenizer,
        peft_config=lora_config(options["lora"]),
    )
    _in_float32(trainer.model)
    if options["precision"] == "bfloat16":
        from cbtrun.plugins.tuning.sft_speed import slim_updates

        slim_updates(trainer.model)
    trainer.remove_callback(PrinterCallback)
    add_trackers(trainer, options["report_to"], folder)
    trainer.create_model_card = lambda *_, **__: None  # it would write a page for the hub into every checkpoint
    return trainer


@dataclass(frozen=True)
class _Kind:
    """A way to learn: TRL's trainer for it, and what its rows are."""

    trainer: type[Any]
    settings: type[Any]
    own: Mapping[str, Any]
    """Settings that this trainer alone has."""
    dataset: Callable[[Sequence[Any]], Dataset]


def _kind(options: Mapping[str, Any]) -> _Kind:
    if "method" in options:
        from cbtrun.plugins.tuning.preference_training import pair_dataset, pair_trainer

        return _Kind(*pair_trainer(options), pair_dataset)
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    # Packed rows are short enough already.
    own = {"padding_free": True, "max_length": None} if options["packing"] else {"max_length": options["max_length"]}
    return _Kind(SFTTrainer, SFTConfig, own, lambda rows: _dataset(rows, options))


def _in_float32(model: Any) -> None:
    """Keep what is trained in float32: TRL puts the adapter of a quantised base into bfloat16, which loses small steps."""
    for weights in model.parameters():
        if weights.requires_grad:
            weights.data = weights.data.float()


def _dataset(rows: Sequence[TrainingRow], options: Mapping[str, Any]) -> Dataset:
    from datasets import Dataset

    if not options["packing"]:
        return Dataset.from_dict(
            {"input_ids": [list(row.input_ids) for row in rows], "labels": [list(row.labels) for row in rows]}
        )
    from cbtrun.plugins.tuning.packed_rows import packs

    found = packs([len(row.input_ids) for row in rows], options["max_length"])
    return Dataset.from_dict(
        {
            "input_ids": [[token for place in pack for token in rows[place].input_ids] for pack in found],
            "labels": [[label for place in pack for label in rows[place].labels] for pack in found],
            "seq_lengths": [[len(rows[place].input_ids) for place in pack] for pack in found],
        }
    )


def _prepare(base: Any, options: Mapping[str, Any]) -> None:
    """What is done to the base before the adapter is put on."""
    if options["packing"] and options["attention"] == "auto":
        from cbtrun.plugins.tuning.packed_rows import ATTENTION, register_packed_attention

        window = getattr(base.config.get_text_config(), "sliding_window", None)
        if window and window < options["max_length"] and getattr(base.config, "use_sliding_window", True):
            raise StageError(
                f"this model attends to {window} tokens at a time; packing needs max_length: {window} or less"
            )
        register_packed_attention()
        base.set_attn_implementation(ATTENTION)
    if options["liger"]:
        from cbtrun.plugins.tuning.sft_speed import use_liger

        use_liger(base)
    if options["compile"]:
        from cbtrun.plugins.tuning.sft_speed import compile_layers

        compile_layers(base)


def _settings(
    options: Mapping[str, Any], seed: int, batch: Batches, folder: Path, evaluates: bool, devices: int
) -> dict[str, Any]:
    """What all of TRL's trainers are told."""
    more: dict[str, Any] = checkpointing_setting(options["checkpointing"])
    if evaluates:
        more |= {"eval_strategy": "steps", "eval_steps": options["held_out"]["every"]}
        more["eval_on_start"] = last_checkpoint(folder) is None  # what was learnt is told from where it began
        more |= {"per_device_eval_batch_size": options["batch_size"], "prediction_loss_only": True}
    if options["sharding"] and devices > 1:
        # Layers are split one by one, and put together again in the weights that are saved.
        more |= {"fsdp": True, "fsdp_config": {"version": 2, "state_dict_type": "FULL_STATE_DICT"}}
    return dict(
        output_dir=str(folder),
        max_steps=batch.steps,
        per_device_train_batch_size=options["batch_size"],
        gradient_accumulation_steps=batch.passes,
        learning_rate=options["learning_rate"],
        lr_scheduler_type=_schedule(options),
        # The first step of a warm-up has a rate of 0: a training of one step would learn nothing.
        warmup_steps=min(math.ceil(options["warmup_ratio"] * batch.steps), batch.steps - 1),
        weight_decay=options["weight_decay"],
        max_grad_norm=options["clip"],
        optim="adamw_torch",
        bf16=options["precision"] == "bfloat16",
        **more,
        use_cpu=torch_device(options["device"]) == "cpu",
        seed=seed,
        data_seed=seed,
        save_strategy="no",  # the watcher asks for checkpoints, by steps and by minutes
        logging_steps=1,
        logging_nan_inf_filter=False,  # a loss that is not a number must be seen, not averaged away
        # Packed rows have no padding, and tell it from the end of a turn by nothing.
        include_num_input_tokens_seen="all" if options["packing"] else "non_padding",
        report_to=by_transformers(options["report_to"]) or "none",
        run_name=f"{folder.parent.parent.name} {folder.parent.name}",  # `llama-cbt seed-1`
        disable_tqdm=True,
        dataloader_pin_memory=False,
        ddp_find_unused_parameters=False,  # every adapter weight takes part in every pass
    )


def checkpointing_setting(wanted: bool) -> dict[str, bool]:
    """The option under its new name where this version of transformers has it; the old one only warns there."""
    from transformers import TrainingArguments

    names = {one.name for one in fields(TrainingArguments)}
    return {"activation_checkpointing" if "activation_checkpointing" in names else "gradient_checkpointing": wanted}


def _schedule(options: Mapping[str, Any]) -> str:
    if options["schedule"] == "constant" and options["warmup_ratio"]:
        return "constant_with_warmup"
    return str(options["schedule"])


def lora_config(options: Mapping[str, Any]) -> LoraConfig:
    """The settings of an adapter."""
    from peft import LoraConfig

    return LoraConfig(
        r=options["rank"],
        lora_alpha=options["alpha"],
        lora_dropout=options["dropout"],
        target_modules=options["target_modules"],
        use_rslora=options["rslora"],
        use_dora=options["dora"],
        modules_to_save=["embed_tokens"] if options["train_embeddings"] else None,
        ensure_weight_tying=options["train_embeddings"],
        task_type="CAUSAL_LM",
    )
