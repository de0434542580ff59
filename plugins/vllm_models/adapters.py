"""The LoRA adapters that one engine has to be ready for: it is told their number and rank when it opens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cbtrun.errors import ModelError

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM can make room for."""
MOST_AT_ONCE = 8
SETTINGS = "adapter_config.json"


@dataclass(frozen=True)
class AdapterRoom:
    """What an engine is to hold; no adapters for a rank of 0."""

    count: int = 0
    rank: int = 0


def room_for(folders: Sequence[str]) -> AdapterRoom:
    """Room for these adapters. Raises ModelError for one that vLLM cannot serve."""
    ranks = [_rank(Path(folder)) for folder in folders]
    if not ranks:
        return AdapterRoom()
    fitting = [rank for rank in RANKS if rank >= max(ranks)]
    if not fitting:
        raise ModelError(f"vLLM serves LoRA adapters up to rank {RANKS[-1]}, and one of this study has {max(ranks)}")
    return AdapterRoom(len(ranks), fitting[0])


def _rank(folder: Path) -> int:
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"the adapter in {folder} cannot be read: {error}") from error
    if settings.get("modules_to_save"):
        raise ModelError(
            f"the adapter in {folder} holds whole layers ({', '.join(settings['modules_to_save'])}), which vLLM does not "
            "serve; tune without `lora: {train_embeddings: true}`, or use the `transformers` plugin"
        )
    return max([int(settings["r"]), *map(int, (settings.get("rank_pattern") or {}).values())])
