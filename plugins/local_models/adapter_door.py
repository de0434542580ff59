"""What is read of an adapter's settings: what LoRA needs, as plain values. All else is refused by its name.

PEFT would follow other settings: to a library, to a model elsewhere, to another way of tuning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cbtrun.plugin import ModelError
from cbtrun.plugins.local_models.model_door import read_settings

WEIGHTS = "adapter_model.safetensors"
SETTINGS = "adapter_config.json"
PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
MOST_NAMES = 10_000


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 65_536


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_names(value: Any) -> bool:
    """A word, a pattern for names of layers, or a list of names."""
    listed = value if isinstance(value, list) else [value]
    return len(listed) <= MOST_NAMES and all(isinstance(one, str) and len(one) <= 1000 for one in listed)


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MOST_NAMES and all(map(_is_number, value))


def _is_numbers_by_name(value: Any) -> bool:
    return isinstance(value, dict) and len(value) <= MOST_NAMES and all(map(_is_number, value.values()))


READ: Mapping[str, Callable[[Any], bool]] = {
    "r": _is_count,
    "lora_alpha": _is_number,
    "lora_dropout": _is_number,
    "target_modules": _is_names,
    "exclude_modules": _is_names,
    "modules_to_save": _is_names,
    "layers_to_transform": lambda value: _is_number(value) or _is_numbers(value),
    "layers_pattern": _is_names,
    "rank_pattern": _is_numbers_by_name,
    "alpha_pattern": _is_numbers_by_name,
    "fan_in_fan_out": _is_flag,
    "use_rslora": _is_flag,
    "use_dora": _is_flag,
    "lora_bias": _is_flag,
    "ensure_weight_tying": _is_flag,
    "bias": lambda value: value in ("none", "all", "lora_only"),
    "task_type": lambda value: value == "CAUSAL_LM",
}
"""Setting -> whether a value of it is one. These go on to PEFT, and no others."""
TOLD: Mapping[str, Callable[[Any], bool]] = {
    "peft_type": lambda value: value == "LORA",
    "peft_version": lambda value: isinstance(value, str),
    "base_model_name_or_path": lambda value: isinstance(value, str),
    "revision": lambda value: isinstance(value, str),
    "inference_mode": _is_flag,
    "init_lora_weights": lambda value: isinstance(value, bool | str),
    "megatron_core": lambda value: value == "megatron.core",
    "qalora_group_size": _is_number,
}
"""What PEFT also writes: not followed. The base is the one that the study names, weights are those of the file."""


def adapter_settings(folder: Path) -> dict[str, Any]:
    """The settings of a LoRA adapter, for PEFT. Raises ModelError for an adapter that asks for more, naming what.

    Settings that are off (null, false, empty) are left out, whatever they are: newer versions of PEFT write more of them.
    """
    try:
        settings = read_settings(folder / SETTINGS)
    except ModelError as error:
        raise ModelError(f"the adapter in {folder} cannot be read: {error}") from error
    known = {**READ, **TOLD}
    for name, value in settings.items():
        if value in (None, False, {}, []):
            continue
        if name not in known:
            raise ModelError(
                f"the adapter in {folder}: '{name}' is nothing that a LoRA adapter needs; read: {', '.join(READ)}"
            )
        if not known[name](value):
            raise ModelError(f"the adapter in {folder}: '{name}' is {str(value)[:60]!r}, which is not taken")
    if settings.get("r") is None:
        raise ModelError(f"the adapter in {folder}: 'r', the rank, is missing; only LoRA adapters are read")
    return {name: value for name, value in settings.items() if name in READ and value is not None}


def check_adapter_files(folder: Path) -> None:
    """Raises ModelError for an adapter whose weights are pickled, or no safetensors."""
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLED) if folder.is_dir() else []
    if pickled:
        raise ModelError(
            f"the adapter in {folder} holds {pickled[0]}: pickled files can run code; only safetensors are read"
        )
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"the adapter in {folder} has no {WEIGHTS}; only safetensors are read")
