"""The embedded model's arithmetic, the same on every x86-64 machine that has AVX2.

Three libraries pick their kernels by what the CPU can do, and kernels of other widths add numbers in another order: a
last bit moves, and a sampled token with it. So each is told which to take. Sources: oneMKL's "conditional numerical
reproducibility" (its AVX2 branch is for Intel's CPUs alone, COMPATIBLE for all), PyTorch's ATEN_CPU_CAPABILITY, oneDNN's
ONEDNN_MAX_CPU_ISA. Together with a fixed number of threads (`threads`, not what the machine has) every sum has one order.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

SETTINGS = {"MKL_CBWR": "COMPATIBLE", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
"""Read by the libraries when they first compute, so they must stand before torch does."""
CPUINFO = Path("/proc/cpuinfo")


def settle_arithmetic() -> None:
    """Fix the kernels of this process and of those that it starts; what the user has set stays.

    For studies with an embedded model alone: a training of it takes twice the time, sampling the same, and a large model
    would pay that too. Not on a machine without AVX2: torch believes the setting and would die of an unknown instruction.
    """
    if _has_avx2():
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)


def _has_avx2() -> bool:
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    try:
        with CPUINFO.open(encoding="utf-8") as said:
            flags = next((line for line in said if line.startswith("flags")), "")
    except OSError:  # no Linux: nothing says so, and nothing is forced
        return False
    return {"avx2", "fma"} <= {*flags.split()}
