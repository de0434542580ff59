"""One LoRA training run with TRL's SFTTrainer: checkpoints, resume, progress, and a clear stop when the loss breaks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.errors import StageError
from cbtrun.plugins.adapter_folder import keep_only, last_checkpoint
from cbtrun.plugins.model_files import torch_device, without_known_warnings
from cbtrun.plugins.training_rows import TrainingRows

if TYPE_CHECKING:
    from peft import LoraConfig
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Trained:
    """A finished training run."""

    model: Any
    """The PEFT model, its adapter not merged."""
    log: tuple[dict[str, Any], ...]
    """One entry a step: step, loss, learning_rate, tokens (seen so far, padding left out)."""


def total_steps(options: Mapping[str, Any], rows: int) -> int:
    """Optimizer steps of a run over so many rows."""
    if options.get("max_steps"):
        return int(options["max_steps"])
    passes: int = math.ceil(rows / options["batch_size"])
    steps: int = math.ceil(options["epochs"] * math.ceil(passes / options["gradient_accumulation"]))
    return max(1, steps)


def train(
    base: Any, tokenizer: Any, rows: TrainingRows, options: Mapping[str, Any], seed: int, folder: Path, tell: Tell
) -> Trained:
    """Train an adapter, from the last whole checkpoint in `folder` where there is one.

    Raises StageError when the loss is not finite or the memory does not suffice.
    """
    import torch

    torch.set_num_threads(options["threads"])
    steps = total_steps(options, len(rows.rows))
    checkpoint = last_checkpoint(folder)
    try:
        with without_known_warnings():
            trainer = _trainer(base, tokenizer, rows, options, seed, steps, folder)
            trainer.add_callback(_watcher(options, steps, folder, tell))
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError as error:
        raise StageError(
            "out of memory in training; what helps, in this order: checkpointing: true, a smaller batch_size with more "
            "gradient_accumulation, a smaller max_length"
        ) from error
    return Trained(trainer.model, tuple(_log(trainer.state.log_history)))


def _trainer(
    base: Any, tokenizer: Any, rows: TrainingRows, options: Mapping[str, Any], seed: int, steps: int, folder: Path
) -> SFTTrainer:
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback, set_seed
    from trl.trainer.sft_trainer import SFTTrainer

    disable_progress_bars()
    set_seed(seed)  # the adapter's first weights are drawn before the trainer sets its own
    dataset = Dataset.from_dict(
        {"input_ids": [list(row.input_ids) for row in rows.rows], "labels": [list(row.labels) for row in rows.rows]}
    )
    trainer = SFTTrainer(
        model=base,
        args=_settings(options, seed, steps, folder),
        train_dataset=dataset,
        processing_class=tokenizer,
        peft_config=_lora(options["lora"]),
    )
    trainer.remove_callback(PrinterCallback)
    # It would write a page for the hub into every checkpoint.
    trainer.create_model_card = lambda *_, **__: None  # type: ignore[method-assign] # ours, of the same form
    return trainer


def _settings(options: Mapping[str, Any], seed: int, steps: int, folder: Path) -> SFTConfig:
    from trl.trainer.sft_config import SFTConfig

    more: dict[str, Any] = _checkpointing(SFTConfig, options["checkpointing"])
    return SFTConfig(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=options["batch_size"],
        gradient_accumulation_steps=options["gradient_accumulation"],
        learning_rate=options["learning_rate"],
        lr_scheduler_type=_schedule(options),
        warmup_steps=math.ceil(options["warmup_ratio"] * steps),
        weight_decay=options["weight_decay"],
        max_grad_norm=options["clip"],
        optim="adamw_torch",
        max_length=options["max_length"],
        bf16=options["precision"] == "bfloat16",
        **more,
        use_cpu=torch_device(options["device"]) == "cpu",
        seed=seed,
        data_seed=seed,
        save_strategy="no",  # the watcher asks for checkpoints, by steps and by minutes
        logging_steps=1,
        logging_nan_inf_filter=False,  # a loss that is not a number must be seen, not averaged away
        include_num_input_tokens_seen="non_padding",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


def _checkpointing(settings: type[SFTConfig], wanted: bool) -> dict[str, bool]:
    """The option under its new name where this version of transformers has it; the old one only warns there."""
    names = {one.name for one in fields(settings)}
    return {"activation_checkpointing" if "activation_checkpointing" in names else "gradient_checkpointing": wanted}


def _schedule(options: Mapping[str, Any]) -> str:
    if options["schedule"] == "constant" and options["warmup_ratio"]:
        return "constant_with_warmup"
    return str(options["schedule"])


def _lora(options: Mapping[str, Any]) -> LoraConfig:
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


def _watcher(options: Mapping[str, Any], steps: int, folder: Path, tell: Tell) -> Any:
    """A callback that asks for checkpoints, marks them whole, shows progress, and stops at a broken loss."""
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):
        saved_at = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            late = time.monotonic() - self.saved_at > options["checkpoint_minutes"] * 60
            due = late or state.global_step % options["checkpoint_steps"] == 0
            control.should_save = due and state.global_step < steps
            return control

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            keep_only(folder / f"checkpoint-{state.global_step}")
            self.saved_at = time.monotonic()

        def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            logs = given["logs"]
            if "loss" not in logs:
                return
            if not math.isfinite(logs["loss"]):
                raise StageError(
                    f"the loss is {logs['loss']} at step {state.global_step} of {steps}: try a lower learning_rate, "
                    "a longer warm-up, or precision: float32"
                )
            tell(state.global_step, steps, f"loss {logs['loss']:.3f}, learning rate {logs['learning_rate']:.1e}")

    return Watcher()


def _log(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "step": entry["step"],
            "loss": entry["loss"],
            "learning_rate": entry["learning_rate"],
            "tokens": int(entry["num_input_tokens_seen"]),
        }
        for entry in history
        if "loss" in entry
    ]
