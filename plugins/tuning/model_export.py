"""Writes a tuned model for use elsewhere: the adapter's files, or its base with the adapter merged in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from cbtrun.errors import StageError
from cbtrun.plugins.local_models.model_files import (
    SETTINGS,
    WEIGHTS,
    adapter_digest,
    find_model,
    load_base,
    load_tokenizer,
    with_adapter,
)
from cbtrun.plugins.tuning.adapter_folder import LOCK


def export_adapter(source: Path, target: Path) -> None:
    """Copy an adapter's weights, settings and lock file."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (SETTINGS, WEIGHTS, LOCK):
        shutil.copyfile(source / name, target / name)


def export_merged(source: Path, model: str, revision: str | None, target: Path) -> None:
    """Write a base with an adapter merged into its weights, its tokenizer and its chat template.

    The folder appears whole or not at all. Raises StageError when the adapter is not the one its lock file names, or the
    base is another than it was trained on.
    """
    import yaml

    lock = yaml.safe_load((source / LOCK).read_text(encoding="utf-8"))
    if lock["adapter"] != adapter_digest(source):
        raise StageError(f"{source}: these are not the weights that {LOCK} names")
    files = find_model(model, lock["base"].get("revision") or revision)
    if files.digest != lock["base"]["digest"]:
        raise StageError(f"model '{model}' is not the base that the adapter was trained on: its files have changed")
    merged = with_adapter(load_base(files, _number_format(files.source, files.revision)), source)
    making = target.parent / f".{target.name}.part"
    shutil.rmtree(making, ignore_errors=True)
    merged.save_pretrained(str(making))
    load_tokenizer(files).save_pretrained(str(making))
    (making / LOCK).write_text(yaml.safe_dump({"merged": True, **lock}, sort_keys=False, allow_unicode=True))
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rmdir()
    making.replace(target)


def _number_format(source: str, revision: str | None) -> str:
    """The format of the base's weights: a merged model keeps it."""
    config: Any
    path = Path(source) / "config.json"
    if path.is_file():
        config = json.loads(path.read_text(encoding="utf-8"))
        found = config.get("dtype") or config.get("torch_dtype") or "float32"
    else:
        from transformers import AutoConfig

        found = str(AutoConfig.from_pretrained(source, revision=revision).dtype or "float32").removeprefix("torch.")
    return str(found)
