"""Memory in use on the machine's GPUs, looked at while something else runs."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOOK_SECONDS = 0.2


def memory_in_use() -> list[float]:
    """GiB in use on every GPU of the machine; one zero where there is none."""
    asked = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return [0.0]
    return [round(float(line) / 1024, 1) for line in told.splitlines() if line.strip()]


@contextmanager
def watching() -> Iterator[list[list[float]]]:
    """What every GPU has in use, look by look."""
    seen, done = [memory_in_use()], threading.Event()

    def look() -> None:
        while not done.wait(LOOK_SECONDS):
            seen.append(memory_in_use())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
