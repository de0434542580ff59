"""The engine that will serve what is tuned gets ready while the training runs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

EARLY = "cbtrun.plugins.vllm_models.early"
"""Found by its name: it decides nothing of an adapter, whose digest of code follows what is imported."""


def engine_early(using: str, source: str, options: Mapping[str, Any]) -> None:
    """Start what an engine for this base needs; returns at once. using, options: of the base's block."""
    if using == "vllm":
        import_module(EARLY).start_early(source, options)


def this_process_waits() -> None:
    """Let it import what the engine needs of it: it has nothing to do until the training is done."""
    import_module(EARLY).import_meanwhile()
