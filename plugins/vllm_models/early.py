"""vLLM got ready while models are still tuned: what an engine imports takes longer than what it then does.

An engine is two processes, this one and its core, and both import vLLM; a third one, started by vLLM, looks at the model's
class. Here a fork server imports it all beforehand, so that the core is forked with it, and leaves what is to be known of the
class where vLLM looks for it; this process imports it while it waits for a training. None of them touches the GPU.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import forkserver
from typing import Any

from cbtrun.plugins.local_models.model_files import LOADING

PRELOADED = "cbtrun.plugins.vllm_models.preloaded"
MODEL = "CBTRUN_ENGINE_MODEL"
"""Environment variable: the folder whose model's class is looked at beforehand."""
SEEN = ("VLLM_", "CUDA_VISIBLE_DEVICES", "CBTRUN_ENGINE_OF", "PYTHONPATH")
"""Beginnings of the names of variables that an engine's core must have as it would have them anew."""

_environment: dict[str, str] | None = None
"""That of the fork server, as far as it matters; none where there is no server."""
_importing: threading.Thread | None = None


def start_early(source: str, options: Mapping[str, Any]) -> None:
    """Start the fork server for the engine of a block, unless there is one; returns at once."""
    global _environment
    from cbtrun.plugins.vllm_models.engine import environment_of
    from cbtrun.plugins.vllm_models.requirements import lacking

    if _environment is not None or lacking(options) or options["tensor_parallel_size"] > 1:
        return
    with environment_of(options):
        os.environ[MODEL] = source
        try:
            forkserver.set_forkserver_preload([PRELOADED])
            forkserver.ensure_running()
            _environment = _seen()
        finally:
            del os.environ[MODEL]


def import_meanwhile() -> None:
    """Import vLLM in a thread of this process, which has nothing else to do now."""
    global _importing
    if _environment is None or _importing is not None:
        return
    _importing = threading.Thread(target=_import, daemon=True, name="cbtrun-imports-vllm")
    _importing.start()


def _import() -> None:
    # transformers' names must not be asked for by two threads at once; what fails is told when the engine opens.
    with LOADING, suppress(Exception):
        import vllm.engine.arg_utils
        import vllm.v1.engine.async_llm  # noqa: F401


@contextmanager
def core_from_fork_server() -> Iterator[None]:
    """Engines opened within it have their core forked from the server, where there is one with their environment."""
    if _importing is not None:
        _importing.join()
    if _environment is None or _environment != _seen():
        yield
        return
    from vllm.v1.engine import utils

    own = utils.get_mp_context
    utils.get_mp_context = partial(multiprocessing.get_context, "forkserver")
    try:
        yield
    finally:
        utils.get_mp_context = own


def _seen() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(SEEN) and name != MODEL}
