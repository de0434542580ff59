"""An engine's process ends with the run that opened it, however that ended.

vLLM's engine outlives a killed parent and keeps the GPU's memory: the same command, started again, would find none.
vLLM calls `end_with_parent` in each of its processes (entry point `vllm.general_plugins`); engines that cbtrun did not
open are left alone.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

OPENED_BY = "CBTRUN_ENGINE_OF"
"""Environment variable with the process id of the run that opens an engine."""
LOOK_SECONDS = 1.0


def end_with_parent() -> None:
    """Watch this process's parent from a thread, and end when it is gone. Does nothing in the run itself."""
    run = os.environ.get(OPENED_BY)
    if run is None or run == str(os.getpid()):
        return
    threading.Thread(target=_watch, args=(os.getppid(), int(run)), daemon=True, name="cbtrun-orphan-watch").start()


def _watch(parent: int, run: int) -> None:
    # The parent may be a fork server, which lives as long as any of its children: the run itself is looked for, too.
    while os.getppid() == parent and _is_there(run):
        time.sleep(LOOK_SECONDS)
    os._exit(1)  # whatever else hangs in this process: its memory must be free


def _is_there(process: int) -> bool:
    """Whether a process runs; one that was killed and whose end nobody has asked for yet does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's, which it cannot be
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return True
    return state[:1] != ["Z"]
