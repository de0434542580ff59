"""The machine's GPUs, shared by the tune jobs of a run: each takes as many as it asks for, and gives them back."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cbtrun.plugin import StageError
from cbtrun.plugins.local_models.gpus import visible_gpus


def planned_devices(options: Mapping[str, Any]) -> int:
    """How many devices one training is to run on, whether or not they are there."""
    wanted = options["devices"]
    return max(1, len(visible_gpus(options))) if wanted == "all" else int(wanted)


def device_count(options: Mapping[str, Any]) -> int:
    """How many devices one training runs on. Raises StageError for more GPUs than there are.

    Without a GPU, `devices: 2` is two processes on the CPU.
    """
    gpus, wanted = len(visible_gpus(options)), planned_devices(options)
    if gpus and wanted > gpus:
        raise StageError(f"devices: {wanted} were asked for, and this machine has {gpus}; use devices: all")
    return wanted


class GpuPool:
    """Which GPUs are free."""

    def __init__(self) -> None:
        self._free: list[str] | None = None
        self._given_back = threading.Condition()

    @contextmanager
    def take(self, gpus: tuple[str, ...], count: int) -> Iterator[tuple[str, ...]]:
        """So many of these GPUs, once they are free; nothing, at once, where there are none."""
        if not gpus:
            yield ()
            return
        with self._given_back:
            if self._free is None:
                self._free = list(gpus)
            free = self._free
            self._given_back.wait_for(lambda: len(free) >= count)
            taken = tuple(free[:count])
            del free[:count]
        try:
            yield taken
        finally:
            with self._given_back:
                free[:0] = taken
                self._given_back.notify_all()


POOL = GpuPool()
"""The one pool of this process."""
