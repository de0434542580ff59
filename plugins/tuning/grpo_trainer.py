"""TRL's GRPOTrainer at work on whole sessions: each step asks for rated sessions, learns from them, and is kept whole.

Only tokens that the policy drew carry loss (TRL's `env_mask`); a session without a reward moves nothing (its advantage is 0).
After each step the checkpoint holds the adapter, the optimizer, the random state and what the steps came to, so that a
training that was killed goes on from its last step; its sessions are held again from the journal, word for word.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import StageError
from cbtrun.plugins.local_models.model_files import (
    adapter_digest,
    normalise_settings,
    torch_device,
    without_known_warnings,
)
from cbtrun.plugins.tuning.adapter_folder import keep_only, last_checkpoint
from cbtrun.plugins.tuning.grpo_course import (
    Course,
    as_trained,
    kept_steps,
    log_line,
    note_speed,
    step_of,
    step_words,
    write_steps,
)
from cbtrun.plugins.tuning.grpo_loss import loss_trainer
from cbtrun.plugins.tuning.learnt import check_trainable, probe_turns, turns_of
from cbtrun.plugins.tuning.sft_training import checkpointing_setting, lora_config
from cbtrun.plugins.tuning.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cbtrun.plugin import HeldStep, Rollouts
    from cbtrun.plugins.tuning.sft_watch import Tell

POLICY = "policy"
"""Folder of the adapter that speaks in a step."""


@dataclass(frozen=True)
class Training:
    """One training by reinforcement."""

    base: Any
    """The model; with an adapter on it where the training goes on with one."""
    tokenizer: Any
    options: Mapping[str, Any]
    seed: int
    folder: Path
    """The adapter's."""
    checkpoints: Path
    public_name: str
    """Of the base, as an adapter's settings name it."""

    @property
    def sessions(self) -> int:
        """In a step."""
        return int(self.options["personas_per_step"] * self.options["group"])


def train_by_reinforcement(training: Training, rollouts: Rollouts, tell: Tell) -> Trained:
    """Train an adapter, from the last whole checkpoint where there is one.

    Raises StageError where nothing can be learnt or the memory does not suffice, and what `rollouts.hold` raises.
    """
    import torch

    torch.set_num_threads(training.options["threads"])
    checkpoint = last_checkpoint(training.checkpoints)
    course = Course(kept_steps(checkpoint))
    try:
        with without_known_warnings(), _silent():
            trainer = _trainer(training, course, rollouts)
            trainable = check_trainable(trainer.model)
            trainer.add_callback(_watcher(training, course, rollouts, tell))
            if course.is_over(training.options["steps"]):  # killed after its last checkpoint
                trainer._load_from_checkpoint(str(checkpoint))
            else:
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
            probes = probe_turns(trainer.model, turns_of(as_trained(course.rows)))
    except torch.OutOfMemoryError as error:
        raise StageError(
            "out of memory in training; what helps: a smaller batch_size, checkpointing: true, precision: bfloat16, a smaller "
            "gpu_memory_utilization of the engine on the same card"
        ) from error
    write_steps(training.folder, course.steps)
    commit = getattr(training.base.config, "_commit_hash", None)
    log = tuple(log_line(one) for one in course.steps)
    return Trained(trainer.model, log, commit, probes=probes, trainable=trainable, stopped=course.steps[-1].stopped)


@contextmanager
def _silent() -> Iterator[None]:
    """TRL says of its hook for sessions that it may change; its version is pinned."""
    before = os.environ.get("TRL_EXPERIMENTAL_SILENCE")
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    try:
        yield
    finally:
        os.environ.pop("TRL_EXPERIMENTAL_SILENCE")
        if before is not None:
            os.environ["TRL_EXPERIMENTAL_SILENCE"] = before


def _trainer(training: Training, course: Course, rollouts: Rollouts) -> Any:
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback, set_seed
    from trl.trainer.grpo_config import GRPOConfig

    disable_progress_bars()
    set_seed(training.seed)
    options = training.options

    def hold(prompts: Sequence[Any], trainer: Any) -> dict[str, Any]:
        step = trainer.state.global_step + 1
        began = time.perf_counter()
        course.policy = save_policy(trainer.model, training.folder / POLICY, training.public_name)
        with _own_chance():
            held = rollouts.hold(step, training.folder / POLICY, course.policy)
        if len(held.rows) != len(prompts):
            raise StageError(f"step {step} came with {len(held.rows)} sessions instead of {len(prompts)}")
        course.held, course.rows, course.entropies = held, held.rows, {}
        course.held_at, course.held_seconds = time.perf_counter(), time.perf_counter() - began
        return _columns(held)

    # One prompt a group and step: what is said in a session is decided when its step comes.
    prompts = Dataset.from_dict({"prompt": ["session"] * (options["steps"] * options["personas_per_step"])})
    peft = None
    if not hasattr(training.base, "peft_config"):
        peft = lora_config(options["lora"])
    trainer = loss_trainer()(
        model=training.base,
        args=GRPOConfig(**_settings(training)),
        train_dataset=prompts,
        reward_funcs=[_earned],
        processing_class=training.tokenizer,
        peft_config=peft,
        rollout_func=hold,
    )
    trainer.note_entropy = course.note_entropy
    for weights in trainer.model.parameters():
        if weights.requires_grad:
            weights.data = weights.data.float()  # small steps are lost in bfloat16
    trainer.remove_callback(PrinterCallback)
    trainer.create_model_card = lambda *_, **__: None
    return trainer


@contextmanager
def _own_chance() -> Iterator[None]:
    """The training's random state as it was, whatever is drawn within: an engine that is opened in this process draws weights.

    Without it the order of the rows in a step, and with it the last bits, would depend on where sessions are held.
    """
    import random

    import numpy as np
    import torch

    words, numbers = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            yield
        finally:
            random.setstate(words)
            np.random.set_state(numbers)


def _earned(*, earned: Sequence[float | None], **_: Any) -> list[float | None]:
    """What each session earned; none where it has no reward, which TRL leaves out of its group."""
    return list(earned)


def _columns(held: HeldStep) -> dict[str, Any]:
    """The sessions as TRL takes them."""
    return {
        "prompt_ids": [list(row.prompt_ids) for row in held.rows],
        "completion_ids": [list(row.completion_ids) for row in held.rows],
        "env_mask": [list(row.spoken) for row in held.rows],
        "logprobs": None,  # the trainer's own: the policy that learns is the one that spoke
        "earned": [row.rollout.reward for row in held.rows],
    }


def _settings(training: Training) -> dict[str, Any]:
    options, sessions = training.options, training.sessions
    batch = max(size for size in range(1, options["batch_size"] + 1) if sessions % size == 0)
    passes = sessions // batch
    steps = options["steps"]
    return dict(
        output_dir=str(training.checkpoints),
        max_steps=steps,
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=passes,
        steps_per_generation=passes,
        num_generations=options["group"],
        temperature=options["temperature"],
        beta=options["beta"],
        scale_rewards=options["scale"],
        learning_rate=options["learning_rate"],
        lr_scheduler_type="constant_with_warmup" if options["schedule"] == "constant" else options["schedule"],
        warmup_steps=min(int(options["warmup_ratio"] * steps), steps - 1),
        weight_decay=options["weight_decay"],
        max_grad_norm=options["clip"],
        optim="adamw_torch",
        bf16=options["precision"] == "bfloat16",
        **checkpointing_setting(options["checkpointing"]),
        use_cpu=torch_device(options["device"]) == "cpu",
        seed=training.seed,
        data_seed=training.seed,
        save_strategy="no",  # the watcher asks for a checkpoint after each step
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
    )


def save_policy(model: Any, folder: Path, public_name: str) -> str:
    """Write the adapter that is trained, and nothing else of the model. Gives its digest."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(str(part), selected_adapters=["default"], save_embedding_layers=False)
    normalise_settings(part, public_name)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return adapter_digest(folder)


def _watcher(training: Training, course: Course, rollouts: Rollouts, tell: Tell) -> Any:
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            control.should_save = True
            return control

        def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> Any:
            logs = given["logs"]
            if "loss" not in logs or course.held is None:
                return control
            step = step_of(course, state.global_step, logs)
            course.steps.append(step)
            if why := rollouts.why_stop(course.steps):
                course.steps[-1] = step = step.model_copy(update={"stopped": why})
                control.should_training_stop = True
            note_speed(training.folder, step.step, course)
            tell(step.step, state.max_steps, step_words(step))
            course.held = None
            return control

        def on_save(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            checkpoint = training.checkpoints / f"checkpoint-{state.global_step}"
            write_steps(checkpoint, course.steps)
            keep_only(checkpoint)
            write_steps(training.folder, course.steps)
            every = training.options["keep"]
            if every and state.global_step % every == 0:
                save_policy(given["model"], training.folder / f"step-{state.global_step}", training.public_name)

    return Watcher()
