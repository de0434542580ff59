"""An engine's process ends with the run that opened it, however that ended.

vLLM's engine outlives a killed parent and keeps the GPU's memory: the same command, started again, would find none.
vLLM calls `end_with_parent` in each of its processes (entry point `vllm.general_plugins`); engines that cbtrun did not
open are left alone.
"""

from __future__ import annotations

import os
import threading
import time

OPENED_BY = "CBTRUN_ENGINE_OF"
"""Environment variable with the process id of the run that opens an engine."""
LOOK_SECONDS = 1.0


def end_with_parent() -> None:
    """Watch this process's parent from a thread, and end when it is gone. Does nothing in the run itself."""
    run = os.environ.get(OPENED_BY)
    if run is None or run == str(os.getpid()):
        return
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True, name="cbtrun-orphan-watch").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(1)  # whatever else hangs in this process: its memory must be free
