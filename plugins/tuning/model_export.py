"""Writes a tuned model for use elsewhere: the adapter's files, or its base with the adapter merged in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from cbtrun.plugin import StageError
from cbtrun.plugins.local_models.adapter_door import SETTINGS, WEIGHTS, adapter_settings, check_adapter_files
from cbtrun.plugins.local_models.model_files import (
    adapter_digest,
    find_model,
    load_base,
    load_tokenizer,
    own_number_format,
    with_adapter,
)
from cbtrun.plugins.local_models.progress_bars import without_bars
from cbtrun.plugins.local_models.turn_probes import agreement, likelihoods, read_probes, refuse_another_model
from cbtrun.plugins.tuning.adapter_folder import LOCK


def export_adapter(source: Path, target: Path) -> None:
    """Copy an adapter's weights, settings and lock file. Raises ModelError for one that asks for more than LoRA needs."""
    adapter_settings(source)
    check_adapter_files(source)
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
    merged = _merged(load_base(files, own_number_format(files)), source)
    making = target.parent / f".{target.name}.part"
    shutil.rmtree(making, ignore_errors=True)
    with without_bars():
        merged.save_pretrained(str(making))
    load_tokenizer(files).save_pretrained(str(making))
    (making / LOCK).write_text(yaml.safe_dump({"merged": True, **lock}, sort_keys=False, allow_unicode=True))
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rmdir()
    making.replace(target)


def _merged(model: Any, adapter: Path) -> Any:
    """The merged model. Raises WrongModel where it is not the one that was trained."""
    probes = read_probes(adapter)

    def asked(model: Any) -> list[float]:
        with torch.inference_mode():
            return likelihoods(probes, lambda ids: model(input_ids=torch.tensor([ids])).logits[0])

    import torch

    base = asked(model.eval())
    merged = with_adapter(model, adapter).eval()
    if probes:
        refuse_another_model(agreement(probes, base, asked(merged)), f"the adapter in {adapter}, merged into its base,")
    return merged
