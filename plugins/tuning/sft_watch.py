"""Watches a training: asks for checkpoints, shows progress, keeps the curves, and stops when the loss breaks."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from cbtrun.plugin import StageError, open_plain
from cbtrun.plugins.tuning.adapter_folder import keep_only

Tell = Callable[[int, int, str], None]

WINDOW = 10
"""Steps whose median loss is looked at for divergence."""
DIVERGED = 2.0
"""A median loss so many times the best one, and above the first, is no noise."""

CURES = "try a lower learning_rate, a longer warm-up, or precision: float32"


def watcher(options: Mapping[str, Any], steps: int, folder: Path, tell: Tell) -> Any:
    """The callback for a trainer. tell: called with step, steps and words for the progress line."""
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):
        saved_at = time.monotonic()
        logged_at = time.monotonic()
        logged_tokens = 0
        held_out = ""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.saved_at = self.logged_at = time.monotonic()
            self.logged_tokens = state.num_input_tokens_seen

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            late = time.monotonic() - self.saved_at > options["checkpoint_minutes"] * 60
            due = agreed(late, args.device) or state.global_step % options["checkpoint_steps"] == 0
            control.should_save = due and state.global_step < steps
            if state.global_step == steps and args.eval_strategy != "no":
                control.should_evaluate = True  # however the steps fall: the loss of the model that will speak
            return control

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            agreed(True, args.device)  # every process has written its part
            if state.is_world_process_zero:
                keep_only(folder / f"checkpoint-{state.global_step}")
            self.saved_at = time.monotonic()

        def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            logs = given["logs"]
            if "eval_loss" in logs:
                self.held_out = f", held out {logs['eval_loss']:.3f}"
            if "loss" not in logs:
                return
            check_loss(state.global_step, steps, [one["loss"] for one in state.log_history if "loss" in one])
            now = time.monotonic()
            speed = (state.num_input_tokens_seen - self.logged_tokens) / max(now - self.logged_at, 1e-9)
            self.logged_at, self.logged_tokens = now, state.num_input_tokens_seen
            if state.is_world_process_zero:
                _note_speed(folder, state.global_step, speed)
                words = f"loss {logs['loss']:.3f}{self.held_out}, learning rate {logs['learning_rate']:.1e}"
                tell(state.global_step, steps, f"{words}, {speed:,.0f} tokens/s")

    return Watcher()


def agreed(own: bool, device: Any) -> bool:
    """What process 0 says, of several that train together: their clocks differ, and all must save or none."""
    import torch
    from torch import distributed

    if not (distributed.is_available() and distributed.is_initialized()):
        return own
    said = torch.tensor([own], dtype=torch.int32, device=device)
    distributed.broadcast(said, src=0)
    return bool(said.item())


def check_loss(step: int, steps: int, losses: Sequence[float]) -> None:
    """Raises StageError when the newest loss is no number, or the last ones are far above the best."""
    if not math.isfinite(losses[-1]):
        raise StageError(f"the loss is {losses[-1]} at step {step} of {steps}: {CURES}")
    if len(losses) < 3 * WINDOW:
        return
    # Medians: one bad batch is no divergence.
    typical = [median(losses[at : at + WINDOW]) for at in range(len(losses) - WINDOW + 1)]
    if typical[-1] > DIVERGED * min(typical) and typical[-1] > typical[0]:
        raise StageError(
            f"the loss diverges: {typical[-1]:.2f} over the last {WINDOW} steps at step {step} of {steps}, "
            f"{min(typical):.2f} at its best: {CURES}"
        )


def curves(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry a step: step, loss, learning_rate, tokens; held_out_loss where it was looked at.

    With pairs also accuracy: the share in which the preferred turn has become the likelier one.
    """
    held_out = {entry["step"]: entry["eval_loss"] for entry in history if "eval_loss" in entry}
    return [
        {
            "step": entry["step"],
            "loss": entry["loss"],
            "learning_rate": entry["learning_rate"],
            "tokens": int(entry["num_input_tokens_seen"]),
            **({"accuracy": entry["rewards/accuracies"]} if "rewards/accuracies" in entry else {}),
            **({"held_out_loss": held_out[entry["step"]]} if entry["step"] in held_out else {}),
        }
        for entry in history
        if "loss" in entry
    ]


def loss_before(history: Sequence[Mapping[str, Any]]) -> float | None:
    """The held-out loss before the first step, where this run began there."""
    return next((entry["eval_loss"] for entry in history if "eval_loss" in entry and entry["step"] == 0), None)


def _note_speed(folder: Path, step: int, speed: float) -> None:
    """Speeds have a file of their own: a time must not decide a digest."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = open_plain(folder.parent / "speed.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with os.fdopen(opened, "a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, "tokens_per_second": round(speed, 1)}) + "\n")
