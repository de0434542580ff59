"""What a registration freezes beside the words of a study: the files that it reads, the code, and where models answer.

Everything by the SHA-256 of bytes, so that it is the same on every machine and for every version of Python.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from pydantic import Field

from cbtrun.contract.digests import bytes_digest, tree_digest
from cbtrun.contract.plugin_digest import module_of, path_digest
from cbtrun.contract.records import Record
from cbtrun.contract.sources import DATA, reached
from cbtrun.errors import ModelError
from cbtrun.keys.addresses import expand_address
from cbtrun.tables.file_set import is_pattern
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

HOMES = ("cbtrun.plugins", "cbtrun.rubrics", "cbtrun.schemas", "cbtrun.specs", "cbtrun")
"""Our packages, each in a folder of its own in a checkout and one in the other where they are installed."""
CODE = DATA | {".py", ".safetensors"}
"""Endings of the files of a package that decide something; what an interpreter leaves beside them does not."""
NOT_SET = "(not set)"


class Frozen(Record):
    """Files, code and addresses of a study, each as a digest."""

    texts: dict[str, str] = Field(default_factory=dict)
    """YAML that the study's own words came from: its file, what it extends, its rubrics. Name -> SHA-256."""
    files: dict[str, str] = Field(default_factory=dict)
    """Every other file or folder that it reads: data, attributes, courses, adapters, local plugins. Name -> SHA-256."""
    code: dict[str, str] = Field(default_factory=dict)
    """`cbtrun`, and every plugin that somebody installed beside it -> version and SHA-256 of its files."""
    addresses: dict[str, str] = Field(default_factory=dict)
    """Model whose address holds a variable -> SHA-256 of the address as the environment completes it."""


def frozen_of(study: Study, registry: Registry) -> Frozen:
    """What a study rests on now. Reads every file that the study names, weights too."""
    texts = {file_name(Path(name), study.folder): digest for name, digest in study.sources.items()}
    return Frozen(
        texts=dict(sorted(texts.items())),
        files=dict(sorted({**_files(study), **_local_code(study, registry)}.items())),
        code={"cbtrun": f"{__version__} (SHA-256 {_our_digest()})", **_strange_code(registry)},
        addresses=_addresses(study),
    )


def file_name(path: Path, folder: Path) -> str:
    """A file's name in a registration: from the study's folder, or from our package where it ships with cbtrun."""
    there = Path(os.path.normpath(path.absolute()))
    for package in HOMES:
        home = _home(package)
        if there.is_relative_to(home):
            return f"{package}:{there.relative_to(home).as_posix()}"
    return Path(os.path.relpath(there, folder)).as_posix()


def _files(study: Study) -> dict[str, str]:
    named = {one.path for one in study.all_references if one.path is not None}
    named |= {*_weights(study)}
    return {file_name(path, study.folder): path_digest(path) for path in named if path.exists() or is_pattern(path)}


def _weights(study: Study) -> Iterator[Path]:
    """Folders of weights on this machine: `model` is a name of the hub where no such folder is there."""
    for model in study.models.values():
        homes = [start / model.model for start in (study.folder, Path.cwd())] if model.model else []
        yield from [path for path in homes if path.exists()][:1]


def _local_code(study: Study, registry: Registry) -> dict[str, str]:
    """What the study's own Python files import from beside them, and the files that they say they read."""
    found = {}
    for file in (study.folder / name for name in study.plugins):
        plugin = registry.plugin(file.stem.replace("_", "-"))
        module = module_of(plugin)
        near = reached((module.__name__,), file.parent) if module is not None else {}
        beside = [file.parent.joinpath(*name.split(".")).with_suffix(".py") for name in near]
        listed = getattr(plugin, "fingerprint_files", None)
        for path in [*beside, *(listed() if callable(listed) else ())]:
            if path.is_file():
                found[file_name(path, study.folder)] = path_digest(path)
    return found


def _our_digest() -> str:
    """SHA-256 over all that cbtrun ships. Takes some hundredths of a second: 600 files."""
    found: dict[str, str] = {}
    for package in HOMES:
        home = _home(package)
        for path in _deciding(home):
            found.setdefault(str(path), f"{package}:{path.relative_to(home).as_posix()}")  # the innermost home first
    lines = [f"{name} {bytes_digest(Path(path).read_bytes())}" for path, name in found.items()]
    return bytes_digest("\n".join(sorted(lines)).encode())


def _strange_code(registry: Registry) -> dict[str, str]:
    """Plugins that somebody installed, each by its whole package."""
    found = {}
    for name in registry.installed_by_others():
        home = _package_of(module_of(registry.plugin(name)))
        if home is not None:
            found[name] = f"SHA-256 {tree_digest(_deciding(home), home) if home.is_dir() else path_digest(home)}"
    return found


def _package_of(module: ModuleType | None) -> Path | None:
    """The folder of the package at the top of a module's name, or the module's file where it stands alone."""
    source = getattr(module, "__file__", None)
    if module is None or source is None:
        return None
    path, depth = Path(source), module.__name__.count(".")
    inner = path.name == "__init__.py"
    return path if not depth and not inner else path.parents[depth if inner else depth - 1]


def _deciding(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.suffix in CODE and "__pycache__" not in one.parts and one.is_file()]


def _addresses(study: Study) -> Mapping[str, str]:
    """Digests alone: the address of a server in a closed network is nobody else's business."""
    found = {}
    for name, model in study.models.items():
        if any("${" in address for address in model.base_urls):
            try:
                whole = "\n".join(expand_address(address, os.environ) for address in model.base_urls)
                found[name] = f"SHA-256 {bytes_digest(whole.encode())}"
            except ModelError:
                found[name] = NOT_SET
    return found


def _home(package: str) -> Path:
    return Path(str(files(package))).absolute()
