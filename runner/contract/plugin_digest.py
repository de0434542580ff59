"""The digest of a plugin: the statements of all that it reaches by imports, and the files that it names."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from cbtrun.contract.digests import digest, file_digest, tree_digest
from cbtrun.contract.sources import code_digest
from cbtrun.tables.file_set import files_of, home_of, is_pattern


def path_digest(path: Path) -> str:
    """SHA-256 of a file, or over the files of a folder or pattern."""
    if is_pattern(path):
        return tree_digest(files_of(path), home_of(path))
    if path.is_dir():
        return tree_digest((file for file in path.rglob("*") if file.is_file()), path)
    return file_digest(path)


def plugin_digest(module: ModuleType | None, files: Iterable[Path] = (), within: str = "") -> str:
    """SHA-256 over the statements of a plugin's module and of all that it imports from its own package and from cbtrun.

    files: what the plugin names in its hook `fingerprint_files`; data beside the modules counts without that.
    within: a package that the way does not leave.
    """
    source = getattr(module, "__file__", None)
    if module is None or source is None:
        return ""
    alone = Path(source).parent if "." not in module.__name__ else None  # a one-file plugin may import its neighbours
    return digest([code_digest([module.__name__], alone, within), [[one.name, path_digest(one)] for one in files]])


def module_of(plugin: object) -> ModuleType | None:
    """The module that a plugin is, or that its class stands in."""
    return plugin if isinstance(plugin, ModuleType) else inspect.getmodule(type(plugin))
