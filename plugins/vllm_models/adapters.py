"""The LoRA adapters that one engine has to be ready for: it is told their number, rank and layers when it opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbtrun.plugin import ModelError
from cbtrun.plugins.local_models.adapter_door import adapter_settings, check_adapter_files

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM can make room for."""
MOST_AT_ONCE = 8


@dataclass(frozen=True)
class AdapterRoom:
    """What an engine is to hold; no adapters for a rank of 0."""

    count: int = 0
    rank: int = 0
    layers: tuple[str, ...] | None = None
    """Names of the layers that an adapter changes; none stands for every kind of layer. vLLM computes LoRA in all that it
    was told of, adapter or not."""


def room_for(folders: Sequence[str]) -> AdapterRoom:
    """Room for these adapters. Raises ModelError for one that vLLM cannot serve."""
    settings = [_settings(Path(folder)) for folder in folders]
    if not settings:
        return AdapterRoom()
    ranks = [_rank(one) for one in settings]
    fitting = [rank for rank in RANKS if rank >= max(ranks)]
    if not fitting:
        raise ModelError(f"vLLM serves LoRA adapters up to rank {RANKS[-1]}, and one of this study has {max(ranks)}")
    return AdapterRoom(len(ranks), fitting[0], _layers(settings))


def _settings(folder: Path) -> dict[str, Any]:
    settings = adapter_settings(folder)  # vLLM reads the file anew: it must ask for nothing else
    check_adapter_files(folder)
    if settings.get("modules_to_save"):
        raise ModelError(
            f"the adapter in {folder} holds whole layers ({', '.join(settings['modules_to_save'])}), which vLLM does not "
            "serve; tune without `lora: {train_embeddings: true}`, or use the `transformers` plugin"
        )
    return settings


def _rank(settings: Mapping[str, Any]) -> int:
    return max([int(settings["r"]), *map(int, (settings.get("rank_pattern") or {}).values())])


def _layers(settings: Sequence[Mapping[str, Any]]) -> tuple[str, ...] | None:
    named = [names for one in settings if isinstance(names := one.get("target_modules"), list) and names]
    if len(named) < len(settings):
        return None  # a pattern, or a word such as all-linear
    return tuple(sorted({name.rpartition(".")[2] for names in named for name in names}))
