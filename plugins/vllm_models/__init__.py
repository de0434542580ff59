"""The `vllm` plugin. Its engines may get ready early: a tune job that makes adapters for them asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cbtrun.plugins.local_models.engine_early import EarlyStart, offer_early_start


def _start(source: str, options: Mapping[str, Any]) -> None:
    from cbtrun.plugins.vllm_models.early import start_early

    start_early(source, options)


def _import_meanwhile() -> None:
    from cbtrun.plugins.vllm_models.early import import_meanwhile

    import_meanwhile()


offer_early_start("vllm", EarlyStart(_start, _import_meanwhile))
