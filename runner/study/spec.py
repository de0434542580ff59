"""A checked study: everything its file says, with defaults, and nothing that could fail on its name alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.contract.labels import without_labels
from cbtrun.contract.stage_kinds import block_path, is_named
from cbtrun.contract.study_view import StudyView, without_places, without_statements
from cbtrun.documents.yaml_source import Located, Node
from cbtrun.errors import Place
from cbtrun.study.references import Reference

if TYPE_CHECKING:
    from cbtrun.ratings.rubric import Rubric


@dataclass(frozen=True, eq=False)
class Study(StudyView):
    """One study, resolved, with its files. Blocks are named (stage, name); `sessions` and `report` have the empty name.

    File paths in `data` are relative to `folder`, variables unexpanded.
    """

    path: Path
    """The study's file, as the user gave it."""
    document: Located
    """What was written, and where."""
    sources: Mapping[str, str]
    """File -> SHA-256 of each YAML file that was read: the study, what it extends, its rubrics."""
    all_references: tuple[Reference, ...]
    """Everything that any block names, in the study's order."""
    rubric_files: Mapping[str, Path]
    """Rubric, as the study names it -> its file."""
    named_weights: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Model -> `model` and `revision` of its file, where the command line says in which folder the weights lie."""

    @property
    def folder(self) -> Path:
        """Folder of the study's file, absolute: what relative paths in `data` start from."""
        return Path(os.path.normpath(self.path.absolute())).parent

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the resolved study, without labels, statements and the folder where weights lie: what it does."""
        from cbtrun.contract.digests import digest
        from cbtrun.study.weights import as_named

        return digest(without_labels(without_places(without_statements(as_named(self.data, self.named_weights)))))

    def place(self, *path: str | int, key: bool = False) -> Place:
        """Where a path of the study was written."""
        return self.document.place(*path, key=key)

    def block(self, stage: str, name: str = "") -> Mapping[str, Any]:
        """A block with its defaults, as the study has it. Raises KeyError if there is none."""
        found: Mapping[str, Any] = self.data[stage][name] if is_named(stage) else self.data[stage]
        return found

    def options(self, stage: str, name: str = "") -> dict[str, Any]:
        """A copy of a block for its plugin: file and folder paths are absolute."""
        references = [one for one in self.references(stage, name) if one.path is not None]
        return with_paths(self.block(stage, name), len(block_path(stage, name)), references)

    def references(self, stage: str, name: str = "") -> list[Reference]:
        """Everything that a block names."""
        start = block_path(stage, name)
        return [one for one in self.all_references if one.at[: len(start)] == start]

    def named_by(self, stage: str) -> list[Reference]:
        """Everything that a stage names, the arms with the sessions that are held in them. stage: `sessions`, `ratings.ctrs` ...

        With it, what the rating sets name by whose raters it rates by itself.
        """
        block, _, name = stage.partition(".")
        arms = self.arms if block == "sessions" else ()
        judges = [one for judge in self.judges_of(stage) for one in self.references("ratings", judge)]
        own = self.references(block, name)
        return [*own, *(one for arm in arms for one in self.references("arms", arm)), *judges]

    def judges_of(self, stage: str) -> list[str]:
        """The rating sets by whose raters a stage rates by itself, each once."""
        block, _, name = stage.partition(".")
        return [*dict.fromkeys(one.name for one in self.references(block, name) if one.kind == "judges")]

    def models_named_by(self, stage: str) -> list[Reference]:
        """The models and tune jobs that a stage names, where it names them."""
        return [one for one in self.named_by(stage) if one.kind in ("models", "tune")]

    def talks_to(self, stage: str) -> frozenset[str]:
        """Models and tune jobs that a stage talks to.

        A tuning reads its base's files and talks to nobody, unless it learns from sessions that it holds and has rated.
        """
        talks = stage.partition(".")[0] != "tune" or bool(self.judges_of(stage))
        return frozenset(one.name for one in self.models_named_by(stage)) if talks else frozenset()

    def models_behind(self, name: str) -> frozenset[str]:
        """The model of a name; for a tune job (`job`, `job@seed`) every model that its block names.

        Of a job that starts from another's adapter, or talks with patients while it learns, that is its base alone.
        """
        job = self.job_of(name)
        if job is None or job.start:
            return frozenset({name if job is None else job.base})
        return frozenset(one.name for one in self.references("tune", job.name) if one.kind == "models")

    def rubrics(self) -> dict[str, Rubric]:
        """Each rubric that the study uses, by the name or path that `data` has for it."""
        from cbtrun.ratings.rubric_file import read_rubric

        return {name: read_rubric(path) for name, path in self.rubric_files.items()}


def with_paths(block: Mapping[str, Any], depth: int, references: Sequence[Reference]) -> dict[str, Any]:
    """A copy of a block in which each reference to a path is that path, absolute. depth: steps down to the block."""
    import copy

    options: dict[str, Any] = copy.deepcopy(dict(block))
    for reference in references:
        *above, last = reference.at[depth:]
        inside: Any = options
        for step in above:
            inside = inside[step]
        inside[last] = str(reference.path)
    return options


def node_of(value: Any, place: Place) -> Node:
    """A tree for a plain value, all of it at one place."""
    if isinstance(value, dict):
        return Node({key: node_of(child, place) for key, child in value.items()}, place, dict.fromkeys(value, place))
    if isinstance(value, list):
        return Node([node_of(child, place) for child in value], place)
    return Node(value, place)
