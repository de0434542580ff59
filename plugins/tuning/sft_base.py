"""The base model of a training: opened as the options say, once it is clear that the disk has room."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cbtrun.plugin import StageError
from cbtrun.plugins.local_models.model_files import ModelFiles, load_base
from cbtrun.plugins.local_models.target_layers import check_layers
from cbtrun.plugins.tuning.tune_memory import adapter_parameters, shape_of
from cbtrun.plugins.tuning.tune_requirements import BITSANDBYTES

SHARE = 6
"""A base is kept for the next job where the machine's memory is so many times its size."""
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


class Bases:
    """The base of the last job, kept on the CPU as it was read, for the next on the same one.

    A training changes the model that it is given (its layers, its attention, its device): each gets a copy of its own.
    """

    def __init__(self) -> None:
        self._kept: tuple[Any, Any] | None = None

    def fresh(self, files: ModelFiles, options: Mapping[str, Any]) -> Any:
        """The base, untouched. Raises as `open_base`."""
        read_as = (files, options["precision"], options["attention"])
        if self._kept is not None and self._kept[0] == read_as and options["quantisation"] == "none":
            base = copy.deepcopy(self._kept[1])
            check_layers(base, options["lora"]["target_modules"])
            return base
        self._kept = None
        base = open_base(files, options)
        if options["quantisation"] == "none" and not options["compile"] and _is_small(base):
            self._kept = (read_as, copy.deepcopy(base))
        return base


def _is_small(base: Any) -> bool:
    """Whether this machine has room for a second one beside whatever else it holds."""
    size = sum(weights.numel() * weights.element_size() for weights in base.parameters())
    return bool(size * SHARE < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


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
