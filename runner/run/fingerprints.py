"""The fingerprint of a stage: one digest over all that decides its output.

Its own block, the blocks of the models it talks to, the digests of what it reads (outputs of other stages, files,
rubrics), the study's seed, and the source of the plugins that take part. Same fingerprint, same output: nothing to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.contract.digests import digest, file_digest, tree_digest
from cbtrun.study.graph import Stage

if TYPE_CHECKING:
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


def stage_fingerprint(
    stage: Stage, study: Study, registry: Registry, rubrics: Mapping[str, Rubric], outputs: Mapping[str, str]
) -> str:
    """SHA-256 over all that decides a stage's output. outputs: stage id -> digest of what it wrote."""
    from cbtrun.ratings.rubric import rubric_digest

    blocks = [(stage.block, stage.name)]
    if stage.block == "sessions":
        blocks += [("arms", arm) for arm in study.data.get("arms") or {}]
    references = {one for block in blocks for one in study.references(*block)}
    models = _models(study, {one.name for one in references if one.kind in ("models", "tune")})
    return digest(
        {
            "block": study.block(stage.block, stage.name),
            "arms": study.data.get("arms") if stage.block == "sessions" else None,
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
    sets = study.data.get("ratings") or {}
    needs = {need.removeprefix("ratings.") for need in stage.needs} if stage.block == "analysis" else set()
    return {name: sets[name].get("aggregate", "mean") for name in sorted(needs & {*sets})}


def path_digest(path: Path) -> str:
    """SHA-256 of a file, or over the files of a folder."""
    if path.is_dir():
        return tree_digest((file for file in path.rglob("*") if file.is_file()), path)
    return file_digest(path)


def _models(study: Study, names: set[str]) -> list[str]:
    """The models among names, and the base models of the tune jobs among them."""
    found = set()
    for name in names:
        if name in (study.data.get("models") or {}):
            found.add(name)
        elif name in (study.data.get("tune") or {}):
            found |= {one.name for one in study.references("tune", name) if one.kind == "models"}
    return sorted(found)


def _plugins(stage: Stage, study: Study, models: list[str]) -> list[str]:
    own: Any = stage.options["using"]
    return sorted({own, *(study.data["models"][name]["using"] for name in models)})
