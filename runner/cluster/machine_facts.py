"""What a machine of the cluster says of itself: cores, GPUs, packages, the code of cbtrun, disk, clock."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

from cbtrun.contract.records import Json
from cbtrun.version import __version__

TOLD = ("torch", "transformers", "peft", "trl", "accelerate", "vllm", "safetensors", "tokenizers", "numpy", "ray")
"""Packages whose versions decide a reply or an adapter: those of all machines must be the driver's."""
GIB = 2**30


def facts_of_this_machine(models: tuple[str, ...] = ()) -> Json:
    """Plain values about the machine that this process runs on. models: folders and names on the hub that are looked for."""
    memory, driver = _gpus()
    return {
        "host": platform.node(),
        "python": platform.python_version(),
        "cbtrun": __version__,
        "code": code_of_cbtrun(),
        "versions": versions(),
        "packages": sorted({one.metadata["Name"].lower().replace("-", "_") for one in distributions()}),
        "cpus": os.cpu_count() or 1,
        "gpus": memory,
        "gpu_driver": driver,
        "disk_gib": shutil.disk_usage(tempfile.gettempdir()).free / GIB,
        "clock": time.time(),
        "weights": {model: _has(model) for model in models},
    }


def versions() -> dict[str, str]:
    """Versions of the packages that decide something, where they are installed."""
    found = {}
    for name in TOLD:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def code_of_cbtrun() -> str:
    """SHA-256 over cbtrun's own source as it is installed here: the version alone does not tell a changed line."""
    hasher = hashlib.sha256()
    for package in ("cbtrun", "cbtrun.plugins"):
        from importlib import import_module

        folder = Path(str(import_module(package).__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            hasher.update(f"{package}/{path.relative_to(folder).as_posix()}\n".encode())
            hasher.update(path.read_bytes())
    return hasher.hexdigest()


def _gpus() -> tuple[list[float], str]:
    """GiB of each GPU, and the version of their driver."""
    command = ["nvidia-smi", "--query-gpu=memory.total,driver_version", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
        lines = [line.split(",") for line in said.splitlines() if line.strip()]
        return [float(line[0]) / 1024 for line in lines], lines[0][1].strip() if lines else ""
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return [], ""


def _has(model: str) -> bool:
    """Whether a model's files are here: a folder, what ships, or in the hub's cache."""
    if model.startswith("cbtrun:") or Path(model).expanduser().is_dir():
        return True
    try:
        from huggingface_hub import try_to_load_from_cache

        return isinstance(try_to_load_from_cache(model, "config.json"), str)
    except Exception:  # no hub here, or no name of it
        return False
