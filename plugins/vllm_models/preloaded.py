"""What the fork server of `early` imports: all that an engine's core needs, and nothing that touches the GPU.

Nothing in here may end the server: a core that finds something missing imports it itself.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


def preload(source: str) -> None:
    """Import the modules, and look at the class of the model in a folder."""
    for part in (_core, _attention, _adapters, _answers):
        with suppress(Exception):
            part()
    with suppress(Exception):
        settings: dict[str, Any] = json.loads((Path(source) / "config.json").read_text(encoding="utf-8"))
        for architecture in settings["architectures"]:
            _look_at(architecture)


def _core() -> None:
    import vllm.v1.engine.core
    import vllm.v1.executor.uniproc_executor
    import vllm.v1.worker.gpu_model_runner
    import vllm.v1.worker.gpu_worker  # noqa: F401


def _attention() -> None:
    import vllm.model_executor.model_loader.default_loader
    import vllm.model_executor.warmup.kernel_warmup
    import vllm.v1.attention.backends.flash_attn  # noqa: F401


def _adapters() -> None:
    import vllm.lora.model_manager
    import vllm.lora.worker_manager  # noqa: F401


def _answers() -> None:
    import vllm.v1.structured_output.backend_xgrammar  # noqa: F401


def _look_at(architecture: str) -> None:
    """Leave in vLLM's own cache what it asks of a model's class, which else a process of its own finds out."""
    from vllm.model_executor.models import registry

    model: Any = registry.ModelRegistry.models[architecture]
    path = Path(registry.__file__).parent / f"{model.module_name.split('.')[-1]}.py"
    digest = registry.safe_hash(path.read_bytes(), usedforsecurity=False).hexdigest()
    found = registry._ModelInfo.from_model_cls(model.load_model_cls())
    if model._load_modelinfo_from_cache(digest) is None:
        model._save_modelinfo_to_cache(found, digest)


if source := os.environ.get("CBTRUN_ENGINE_MODEL"):
    preload(source)
