"""What this machine lacks for a tune job. Cheap: nothing of torch is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cbtrun.plugin import lacking_packages
from cbtrun.plugins.local_models.device_pool import planned_devices
from cbtrun.plugins.local_models.gpus import visible_gpus
from cbtrun.plugins.local_models.packages import PACKAGES

BITSANDBYTES = "quantisation: nf4 needs bitsandbytes; pip install 'cbtrun[qlora]'"
WANDB_SETTINGS = Path("wandb", "settings")
WANDB_ELSEWHERE = (
    "report_to: wandb would take its server from ./wandb/settings, which may have come with the study, and send your key "
    "there; remove that file, or set WANDB_DIR yourself"
)
LIGER = "liger: true needs Liger's kernels; pip install 'cbtrun[liger]'"


def lacking(options: Mapping[str, Any]) -> list[str]:
    """What is missing for a job of these options, in words; empty where it can run."""
    four_bits, gpus = options["quantisation"] == "nf4", len(visible_gpus(options))
    missing = lacking_packages("tune", *PACKAGES, "trl", "datasets", "pyarrow")
    missing += [BITSANDBYTES] if four_bits and not find_spec("bitsandbytes") else []
    missing += [LIGER] if options["liger"] and not find_spec("liger_kernel") else []
    missing += [
        f"report_to: {name} is not installed; pip install {name}"
        for name in options["report_to"]
        if not find_spec(name)
    ]
    if "wandb" in options["report_to"] and "WANDB_DIR" not in os.environ and WANDB_SETTINGS.exists():
        missing.append(WANDB_ELSEWHERE)
    if four_bits and not gpus:
        missing.append("quantisation: nf4 needs an NVIDIA GPU, and there is none here; use one, or quantisation: none")
    elif options["device"] == "cuda" and not gpus:
        missing.append("device: cuda needs an NVIDIA GPU, and there is none here")
    if gpus and planned_devices(options) > gpus:
        missing.append(f"devices: {planned_devices(options)} were asked for, and there are {gpus}; use devices: all")
    elif not gpus and planned_devices(options) > (cores := os.cpu_count() or 1):
        missing.append(
            f"devices: {planned_devices(options)} were asked for, and there is no GPU and {cores} CPU cores here"
        )
    return missing
