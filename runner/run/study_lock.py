"""study.lock.yaml: what ran, exactly, and on what. Written at the start of every run.

Times and machine facts live here and nowhere else, so that results.json stays the same wherever a study runs.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from cbtrun.contract.stage_kinds import PLUGGED
from cbtrun.contract.study_view import StudyView
from cbtrun.documents.plain_yaml import read_plain_yaml
from cbtrun.errors import Place, SpecError, StageError
from cbtrun.files.run_folder import RunFolder, write_atomically
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

PACKAGES = (
    *("torch", "transformers", "peft", "trl", "datasets", "accelerate", "tokenizers", "safetensors", "vllm", "ray"),
    *("instructor", "openai", "pydantic", "jsonschema", "pluggy"),
    *("numpy", "scipy", "statsmodels", "pandas", "matplotlib"),
)


class _Spec(BaseModel):
    file: str
    sources: dict[str, str]


class _Place(BaseModel):
    host: str
    folder: str
    inode: int


class _Lock(BaseModel):
    """What is read of a lock file again; older ones lack some of it."""

    model_config = ConfigDict(defer_build=True)

    study: str = ""
    spec: _Spec | None = None
    place: _Place | None = None
    started: str = ""
    cbtrun: str = ""
    python: str = ""
    platform: str = ""
    packages: dict[str, str] = {}
    plugins: dict[str, str] = {}
    hardware: dict[str, Any] = {}
    where: dict[str, Any] = {}
    resolved: dict[str, Any] = {}
    replayed: dict[str, Any] = {}


def write_lock(
    folder: RunFolder, study: Study, registry: Registry, *, take_over: bool, where: Mapping[str, Any] | None = None
) -> None:
    """Write the lock file. where: on which machines it runs, where that is not this one alone. Raises StageError when the folder was made by another spec file, unless `take_over`."""
    lock = lock_of(folder)
    made_by = (lock.get("spec") or {}).get("file")
    here = str(study.path.resolve())
    if made_by not in (None, here) and not take_over:
        raise StageError(
            f"{folder.path}: this run folder was made by {made_by}, not by {here}; give the study another name "
            f"(--set study=NAME), or go on in it with --take-over if the file was only moved"
        )
    content = _content(study, registry)
    content["where"] = dict(where or {"on": "local"})
    # A copy says where it comes from until the user has said that it is the one to go on in.
    content["place"] = lock["place"] if copied_from(folder) and not take_over else _place(folder)
    write_atomically(folder.lock_file, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def copied_from(folder: RunFolder) -> str:
    """Where the run folder was made that this one is a copy of; empty for one that is where it was made.

    A folder keeps its number on the disk when it is moved or mounted elsewhere, and a copy gets another.
    """
    made = lock_of(folder).get("place")
    if not made or made == _place(folder) or made["inode"] == folder.path.stat().st_ino:
        return ""
    where = "this machine" if made["host"] == platform.node() else made["host"]
    return f"{made['folder']} on {where}"


def _place(folder: RunFolder) -> dict[str, str | int]:
    """By what a copy of a run folder is told."""
    return {"host": platform.node(), "folder": str(folder.path.resolve()), "inode": folder.path.stat().st_ino}


def lock_of(folder: RunFolder) -> dict[str, Any]:
    """What the lock file holds; empty when there is none. Raises SpecError for anything else than cbtrun writes there."""
    if not folder.lock_file.exists():
        return {}
    content = read_plain_yaml(folder.lock_file)
    try:
        _Lock.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        what = f"not the lock file of a run: {'/'.join(map(str, first['loc']))}: {first['msg']}"
        raise SpecError.at(folder.lock_file, what) from None
    return content


def local_plugins_of(folder: RunFolder) -> list[Path]:
    """The Python files beside the study that the run was made with."""
    lock = lock_of(folder)
    start = Path((lock.get("spec") or {}).get("file", ".")).parent
    return [start / name for name in StudyView(lock.get("resolved", {})).plugins]


def study_of_run(folder: RunFolder, registry: Registry) -> Study:
    """The study that a run folder holds, from its lock file. Files that it names may be gone, and keys be of another version.

    Raises SpecError when the folder has no lock file, or the study in it has values that no study has.
    """
    from cbtrun.documents.yaml_source import Located
    from cbtrun.study.checks import study_as_kept
    from cbtrun.study.earlier_forms import modernised
    from cbtrun.study.overrides import Written
    from cbtrun.study.spec import node_of

    lock = lock_of(folder)
    if "resolved" not in lock or not lock.get("spec"):
        raise SpecError.at(folder.lock_file, "no such file, or not the lock file of a run")
    place = Place(str(folder.lock_file))
    spec = lock["spec"]
    node, _ = modernised(node_of(lock["resolved"], place))  # as the version wrote it that made the run
    written = Written(Located(node, place.file), Path(spec["file"]), spec["sources"])
    return study_as_kept(written, registry)


def hardware() -> dict[str, Any]:
    """Processor, cores, memory in GiB, and GPUs as their driver names them."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "gpus": _gpus(),
    }


def package_versions() -> dict[str, str]:
    """Versions of the installed packages that can change a result."""
    return {name: found for name in PACKAGES if (found := _version(name)) is not None}


def _content(study: Study, registry: Registry) -> dict[str, Any]:
    return {
        "study": study.name,
        "spec": {"file": str(study.path.resolve()), "digest": study.digest, "sources": dict(study.sources)},
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "cbtrun": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": package_versions(),
        "plugins": {using: registry.digest(using) for using in sorted(_plugins(study))},
        "hardware": hardware(),
        "resolved": study.data,
    }


def _plugins(study: Study) -> set[str]:
    """Names of the plugins that the study uses."""
    return {block["using"] for stage in PLUGGED for block in study.blocks(stage).values()}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def _gpus() -> list[str]:
    """`name, memory` of each NVIDIA GPU, asked of the driver: importing torch for this would take seconds."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return asked.stdout.splitlines() if asked.returncode == 0 else []
