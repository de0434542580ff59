"""What this machine lacks for a tune job. Cheap: nothing of torch is imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from cbtrun.plugins.tuning.device_pool import planned_devices, visible_gpus

BITSANDBYTES = "quantisation: nf4 needs bitsandbytes; pip install 'cbtrun[qlora]'"
LIGER = "liger: true needs Liger's kernels; pip install 'cbtrun[liger]'"


def lacking(options: Mapping[str, Any]) -> list[str]:
    """What is missing for a job of these options, in words; empty where it can run."""
    four_bits, gpus = options["quantisation"] == "nf4", len(visible_gpus(options))
    missing = [BITSANDBYTES] if four_bits and not find_spec("bitsandbytes") else []
    missing += [LIGER] if options["liger"] and not find_spec("liger_kernel") else []
    missing += [
        f"report_to: {name} is not installed; pip install {name}"
        for name in options["report_to"]
        if not find_spec(name)
    ]
    if four_bits and not gpus:
        missing.append("quantisation: nf4 needs an NVIDIA GPU, and there is none here; use one, or quantisation: none")
    elif options["device"] == "cuda" and not gpus:
        missing.append("device: cuda needs an NVIDIA GPU, and there is none here")
    if gpus and planned_devices(options) > gpus:
        missing.append(f"devices: {planned_devices(options)} were asked for, and there are {gpus}; use devices: all")
    return missing
