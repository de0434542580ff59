"""An adapter's folder: weights, settings, training log, and the lock file that says it is done."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import StageError, write_atomically
from cbtrun.plugins.local_models.adapter_door import SETTINGS, WEIGHTS
from cbtrun.plugins.local_models.model_files import adapter_digest, normalise_settings
from cbtrun.plugins.local_models.turn_probes import FILE as PROBES
from cbtrun.plugins.local_models.turn_probes import write_probes

if TYPE_CHECKING:
    from cbtrun.plugins.tuning.trained import Trained

LOCK = "adapter.lock.yaml"
LOG = "training-log.jsonl"
FOREIGN = (".metadata", "*.distcp", "adapter_model.bin", "pytorch_model.bin", "*.pkl", "*.pickle")
"""Files of a checkpoint that hold pickled objects: of torch's distributed format, and weights that are no safetensors."""
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
    write_probes(target, trained.probes)


def finish_adapter(
    made: Path, folder: Path, base: str, lock: Mapping[str, Any], log: Sequence[Mapping[str, Any]]
) -> str:
    """Move what `save_weights` wrote to its place, with its log, and its lock file last. Returns its digest."""
    import yaml

    (folder / LOCK).unlink(missing_ok=True)
    normalise_settings(made, base)
    for name in (SETTINGS, WEIGHTS, PROBES):
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
        _check_checkpoint(checkpoint)
        if (checkpoint / COMPLETE).exists():
            whole.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _check_checkpoint(checkpoint: Path) -> None:
    """Raises StageError for what torch would unpickle whatever it is told; no training of ours writes it."""
    foreign = [path.name for pattern in FOREIGN for path in checkpoint.rglob(pattern)]
    if foreign:
        raise StageError(
            f"{checkpoint}: holds {foreign[0]}, which no training of cbtrun writes and which can run code; "
            "remove the checkpoint to train from the start"
        )


def keep_only(checkpoint: Path) -> None:
    """Mark a checkpoint as whole, once every byte of it is on the disk, and remove those before it."""
    for path in sorted(one for one in checkpoint.rglob("*") if one.is_file()):
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
