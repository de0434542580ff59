"""The fingerprint of a stage: one digest over all that decides its output.

Its own block, the blocks of the models it talks to, the digests of what it reads (outputs of other stages, files,
rubrics), the study's seed, and the source of the plugins that take part. Same fingerprint, same output: nothing to do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cbtrun.digests import digest, file_digest, tree_digest
from cbtrun.stages import Stage

if TYPE_CHECKING:
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


def stage_fingerprint(
    stage: Stage, study: Study, registry: Registry, rubrics: Mapping[str, Rubric], outputs: Mapping[str, str]
) -> str:
    """SHA-256 over all that decides a stage's output. outputs: stage id -> digest of what it wrote."""
    from cbtrun.ratings.rubric import rubric_digest

    references = {*study.named_by(stage.id)}
    named = {one.name for one in study.models_named_by(stage.id)}
    models = sorted({model for name in named for model in study.models_behind(name)})
    return digest(
        {
            "block": study.block(stage.block, stage.name),
            "arms": study.blocks("arms") if stage.block == "sessions" else None,
            "study": study.data if stage.block == "report" else None,
            "seed": study.seed,
            "reads": {need: outputs.get(need) for need in stage.needs},
            "aggregates": _aggregates(stage, study),
            "models": {name: study.block("models", name) for name in models},
            "rubrics": {one.name: rubric_digest(rubrics[one.name]) for one in references if one.kind == "rubrics"},
            "files": {one.name: path_digest(one.path) for one in references if one.path is not None},
            "plugins": {using: registry.digest(using) for using in _plugins(stage, study, models)},
        }
    )


def _aggregates(stage: Stage, study: Study) -> dict[str, str]:
    """Rating set -> how its ratings become one value, for an analysis of it: the ratings themselves do not change with it."""
    needs = {need.removeprefix("ratings.") for need in stage.needs} if stage.block == "analysis" else set()
    return {name: study.rating_sets[name].aggregate for name in sorted(needs & {*study.rating_sets})}


def path_digest(path: Path) -> str:
    """SHA-256 of a file, or over the files of a folder."""
    if path.is_dir():
        return tree_digest((file for file in path.rglob("*") if file.is_file()), path)
    return file_digest(path)


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


def _plugins(stage: Stage, study: Study, models: list[str]) -> list[str]:
    own: Any = stage.options["using"]
    return sorted({own, *(study.models[name].using for name in models)})
