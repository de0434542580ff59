"""The base model of a training: opened as the options say, once it is clear that the disk has room."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cbtrun.plugin import StageError
from cbtrun.plugins.local_models.model_files import ModelFiles, load_base
from cbtrun.plugins.local_models.target_layers import check_layers
from cbtrun.plugins.tuning.tune_memory import adapter_parameters, shape_of
from cbtrun.plugins.tuning.tune_requirements import BITSANDBYTES

COPIES = 2 * 3 + 1
"""float32 copies of the adapter on the disk at worst: two checkpoints with both of Adam's moments, and the adapter."""


def open_base(files: ModelFiles, options: Mapping[str, Any]) -> Any:
    """The base model, for training.

    Raises StageError when 4 bits are asked for and cannot be had, and for layers to adapt that it does not have.
    """
    attention = None if options["attention"] == "auto" else options["attention"]
    quantised = None if options["quantisation"] == "none" else four_bits(options)
    base = load_base(files, options["precision"], attention, quantised)
    check_layers(base, options["lora"]["target_modules"])
    return base


def four_bits(options: Mapping[str, Any]) -> Any:
    """The settings of bitsandbytes for nf4. Raises StageError where it is missing, or there is no GPU."""
    import importlib.util

    import torch
    from transformers import BitsAndBytesConfig

    if importlib.util.find_spec("bitsandbytes") is None:
        raise StageError(BITSANDBYTES)
    if options["device"] == "cpu" or not torch.cuda.is_available():
        raise StageError("quantisation: nf4 needs a GPU, and there is none; use quantisation: none")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=options["double_quantisation"],
        bnb_4bit_compute_dtype=getattr(torch, options["precision"]),
    )


def check_disk(folder: Path, source: str, options: Mapping[str, Any]) -> None:
    """Raises StageError when the disk has no room for the checkpoints and the adapter: before the first step."""
    shape = shape_of(source)
    if shape is None:
        return
    need = adapter_parameters(shape, options["lora"]) * 4 * COPIES
    free = shutil.disk_usage(folder).free
    if need > free:
        raise StageError(
            f"{folder}: the training needs about {need / 2**30:.1f} GiB for checkpoints and the adapter, and the disk "
            f"has {free / 2**30:.1f} GiB free; free some, or choose another place with --runs"
        )
