"""The digest of a plugin: its module, the modules of its own package that it imports, and the files that it names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from cbtrun.contract.digests import digest, file_digest


def plugin_digest(plugin: object, module: ModuleType | None) -> str:
    """SHA-256 over a plugin's module, the modules of its own package that it imports, and its templates.

    A plugin whose output depends on other files too lists them in a function `fingerprint_files() -> list[Path]`.
    """
    source = getattr(module, "__file__", None)
    if module is None or source is None:
        return ""
    files = sorted(_with_imports(Path(source), _package_of(module.__name__, Path(source))))
    more: list[Path] = getattr(plugin, "fingerprint_files", list)()
    return digest([[path.name, file_digest(path)] for path in [*files, *more]])


@dataclass(frozen=True)
class _Package:
    """The package whose modules count as a plugin's own."""

    name: str
    folder: Path


def _package_of(module: str, source: Path) -> _Package:
    """`cbtrun.plugins` for what ships with cbtrun, the top-level package for others, the folder of a one-file plugin."""
    depth = 2 if module.startswith("cbtrun.plugins.") else 1
    parts = module.split(".")
    inner = len(parts) - depth - (source.name != "__init__.py")
    return _Package(".".join(parts[:depth]), source.parents[max(0, inner)])


def _with_imports(source: Path, package: _Package) -> set[Path]:
    """A source file and, through its imports, the files of its package that it needs."""
    found, waiting = {source}, [source]
    while waiting:
        new = {*_files_of(waiting.pop(), package)} - found
        found |= new
        waiting += new
    return found


def _files_of(source: Path, package: _Package) -> Iterator[Path]:
    """The files of the package that a source file imports itself."""
    for stem in {*_imported(source, package)}:
        yield from (path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file())


def _imported(source: Path, package: _Package) -> Iterator[Path]:
    """Where the modules that a file imports would lie in its package, without their ending; others' lie nowhere."""
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (_inside(name.name, package, source.parent) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                stem = source.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            else:
                stem = _inside(node.module or "", package, source.parent)
            yield stem
            yield from (stem / name.name for name in node.names)


def _inside(module: str, package: _Package, beside: Path) -> Path:
    """A module of the package, or one beside the file that imports it, as one-file plugins have."""
    if module == package.name or module.startswith(f"{package.name}."):
        return package.folder.joinpath(*module.removeprefix(package.name).strip(".").split("."))
    return beside.joinpath(*module.split("."))
