"""The GPUs of this machine, asked of their driver."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from typing import Any

from cbtrun.plugin import machines_elsewhere


def gpu_memory() -> list[float]:
    """Memory of each GPU that is there, in GiB; empty without one. Asks nvidia-smi: torch would take seconds.

    Where the run uses machines of a cluster it is that of the machine with most of them.
    """
    if (machines := machines_elsewhere()) is not None:
        return max((list(one) for one in machines.gpus), key=len, default=[])
    try:
        asked = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        said = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout
        return [float(line) / 1024 for line in said.splitlines() if line.strip()]
    except (OSError, ValueError, subprocess.SubprocessError):
        return []


def visible_gpus(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the GPUs that a job may use, as CUDA_VISIBLE_DEVICES takes them; none for `device: cpu`."""
    if options["device"] == "cpu":
        return ()
    if (machines := machines_elsewhere()) is not None:
        return tuple(str(place) for place in range(machines.most_gpus))
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return tuple(name for name in chosen.split(",") if name.strip() not in ("", "-1"))
    return tuple(str(place) for place in range(len(gpu_memory())))
