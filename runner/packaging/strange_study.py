"""What a package's study may name, looked at before any of it is run: its own files and what ships, and no Python."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.contract.marks import names_of
from cbtrun.documents.schema import walk
from cbtrun.documents.yaml_source import read_yaml
from cbtrun.errors import PluginError, SpecError
from cbtrun.packaging.parts import STUDY
from cbtrun.study.checks import blocks
from cbtrun.study.overrides import Written, read_study
from cbtrun.study.references import located
from cbtrun.study.study_schema import base_schema, block_schema

if TYPE_CHECKING:
    from cbtrun.packaging.opened import Opened
    from cbtrun.registry import Registry

MOST_BASES = 50
"""Studies that one extends, each the one before."""


def refuse_strange_study(opened: Opened, package: Path, *, allow_local_plugins: bool) -> None:
    """Raises SpecError where the study leads out of its package, PluginError where it brings Python that nobody allowed."""
    from cbtrun.registry import load_registry

    home = opened.folder / STUDY
    if not _inside(opened.spec, home):
        raise SpecError.at(package, f"its study's file '{opened.about.spec[:80]}' is not in {STUDY}/")
    _refuse_bases(opened.spec, home, package)
    written = read_study(opened.spec, tuple(opened.about.set))
    _refuse_python(opened, written, package, allowed=allow_local_plugins)
    for path, name in _named(written, load_registry()):
        where = located(_start(written, opened, path), name)
        if not _inside(where, home):
            raise SpecError.at(package, f"its study leads out of it: {'/'.join(map(str, path))} names '{name[:80]}'")


def _refuse_bases(spec: Path, home: Path, package: Path) -> None:
    """Each study that it extends, before that is read."""
    file = spec
    for _ in range(MOST_BASES):
        content = read_yaml(str(file)).value
        base = content.get("extends") if isinstance(content, dict) else None
        if not isinstance(base, str):
            return
        file = located(file.parent, base)
        if not _inside(file, home) or not file.is_file():
            raise SpecError.at(package, f"its study leads out of it: extends names '{base[:80]}'")
    raise SpecError.at(package, f"its study extends more than {MOST_BASES} others")


def _refuse_python(opened: Opened, written: Written, package: Path, *, allowed: bool) -> None:
    """The study's word counts, not that of `package.json`; `--set` may bring Python too."""
    listed = written.document.value.get("plugins")
    names = [str(one)[:80] for one in (listed if isinstance(listed, list) else [listed] if listed else [])]
    names += [one for one in opened.about.plugins if one not in names]
    if names and not allowed:
        raise PluginError(
            f"{package}: its study wants to run Python of its own ({', '.join(names)}); read it in study/, then add --allow-local-plugins"
        )
    for name in names:
        if not _inside(located(opened.spec.parent, name), opened.folder / STUDY):
            raise SpecError.at(package, f"its study leads out of it: plugins names '{name}'")


def _named(written: Written, registry: Registry) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Path in the study, and value, of each option that names something."""
    data: dict[str, Any] = written.document.value
    for part in walk(data, base_schema()):
        if names_of(part.schema) and isinstance(part.value, str):
            yield part.path, part.value
    for stage, name, block in blocks(data):
        using = block.get("using")
        if not isinstance(using, str) or not registry.offers(stage, using):
            continue
        for part in walk(block, block_schema(stage, registry.schema(stage, using))):
            if names_of(part.schema) and isinstance(part.value, str):
                yield (*((stage, name) if name else (stage,)), *part.path), part.value


def _start(written: Written, opened: Opened, path: tuple[str | int, ...]) -> Path:
    """The folder that a path starts from: that of the file that wrote it."""
    file = written.document.place(*path).file
    return Path(file).parent if file in written.sources else opened.spec.parent


def _inside(path: Path, home: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(home)
