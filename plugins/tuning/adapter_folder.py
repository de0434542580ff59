"""An adapter's folder: weights, settings, training log, and the lock file that says it is done."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugins.local_models.model_files import SETTINGS, WEIGHTS, adapter_digest, normalise_settings
from cbtrun.run_folder import write_atomically

if TYPE_CHECKING:
    from cbtrun.plugins.tuning.sft_training import Trained

LOCK = "adapter.lock.yaml"
LOG = "training-log.jsonl"
COMPLETE = "complete"
"""File that marks a checkpoint as whole."""


def finished_adapter(folder: Path, inputs: str) -> str | None:
    """Digest of the adapter in a folder, if it is whole and was made from these inputs."""
    import yaml

    try:
        lock = yaml.safe_load((folder / LOCK).read_text(encoding="utf-8"))
        found = adapter_digest(folder)
    except (OSError, yaml.YAMLError):
        return None
    return found if isinstance(lock, dict) and lock.get("inputs") == inputs and lock.get("adapter") == found else None


def save_weights(trained: Trained, target: Path) -> None:
    """Write a trained adapter's weights and settings, as PEFT has them."""
    shutil.rmtree(target, ignore_errors=True)
    # Trained embeddings are in modules_to_save anyway; PEFT's own guess would ask the hub for the base's settings.
    trained.model.save_pretrained(str(target), state_dict=trained.weights, save_embedding_layers=False)


def finish_adapter(
    made: Path, folder: Path, base: str, lock: Mapping[str, Any], log: Sequence[Mapping[str, Any]]
) -> str:
    """Move what `save_weights` wrote to its place, with its log, and its lock file last. Returns its digest."""
    import yaml

    (folder / LOCK).unlink(missing_ok=True)
    normalise_settings(made, base)
    for name in (SETTINGS, WEIGHTS):
        (made / name).replace(folder / name)
    shutil.rmtree(made)
    write_atomically(folder / LOG, "".join(json.dumps(entry) + "\n" for entry in log))
    digest = adapter_digest(folder)
    write_atomically(folder / LOCK, yaml.safe_dump({"adapter": digest, **lock}, sort_keys=False, allow_unicode=True))
    return digest


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint; what a kill left half written is removed."""
    whole = []
    for checkpoint in folder.glob("checkpoint-*"):
        if (checkpoint / COMPLETE).exists():
            whole.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def keep_only(checkpoint: Path) -> None:
    """Mark a checkpoint as whole, once every byte of it is on the disk, and remove those before it."""
    for path in sorted(checkpoint.iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    (checkpoint / COMPLETE).touch()
    for older in checkpoint.parent.glob("checkpoint-*"):
        if older != checkpoint:
            shutil.rmtree(older)


def clear_stale(folder: Path, keep: Path) -> None:
    """Remove checkpoints of other inputs."""
    for path in folder.glob("checkpoints-*"):
        if path != keep:
            shutil.rmtree(path)
