"""A checked study: everything its file says, with defaults, and nothing that could fail on its name alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.errors import Place, SpecError
from cbtrun.study.overrides import Written, read_study
from cbtrun.study.references import Reference
from cbtrun.study.study_schema import SINGLE
from cbtrun.study.yaml_source import Located, Node

if TYPE_CHECKING:
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.registry import Registry
    from cbtrun.run_folder import RunFolder


@dataclass(frozen=True)
class Study:
    """One study, resolved. Blocks are named (stage, name); `sessions` and `report` have the empty name."""

    path: Path
    """The study's file, as the user gave it."""
    data: Mapping[str, Any]
    """Everything the study says, defaults filled in; file paths relative to `folder`, variables unexpanded."""
    document: Located
    """What was written, and where."""
    sources: Mapping[str, str]
    """File -> SHA-256 of each YAML file that was read: the study, what it extends, its rubrics."""
    all_references: tuple[Reference, ...]
    """Everything that any block names, in the study's order."""
    rubric_files: Mapping[str, Path]
    """Rubric, as the study names it -> its file."""

    @property
    def name(self) -> str:
        """Name of the study and of its run folder."""
        return str(self.data["study"])

    @property
    def title(self) -> str:
        """The question of the study, or its name."""
        return str(self.data.get("title") or self.name)

    @property
    def seed(self) -> int:
        """Where every random act begins."""
        return int(self.data["seed"])

    @property
    def folder(self) -> Path:
        """Folder of the study's file, absolute: what relative paths in `data` start from."""
        return Path(os.path.normpath(self.path.absolute())).parent

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the resolved study."""
        from cbtrun.digests import digest

        return digest(self.data)

    def place(self, *path: str | int, key: bool = False) -> Place:
        """Where a path of the study was written."""
        return self.document.place(*path, key=key)

    def block(self, stage: str, name: str = "") -> Mapping[str, Any]:
        """A block with its defaults, as the study has it. Raises KeyError if there is none."""
        found: Mapping[str, Any] = self.data[stage] if stage in SINGLE else self.data[stage][name]
        return found

    def options(self, stage: str, name: str = "") -> dict[str, Any]:
        """A copy of a block for its plugin: file and folder paths are absolute."""
        references = [one for one in self.references(stage, name) if one.path is not None]
        return with_paths(self.block(stage, name), len(block_path(stage, name)), references)

    def references(self, stage: str, name: str = "") -> list[Reference]:
        """Everything that a block names."""
        start = block_path(stage, name)
        return [one for one in self.all_references if one.at[: len(start)] == start]

    def rubrics(self) -> dict[str, Rubric]:
        """Each rubric that the study uses, by the name or path that `data` has for it."""
        from cbtrun.ratings.rubric_file import read_rubric

        return {name: read_rubric(path) for name, path in self.rubric_files.items()}


def load_study(path: str | Path, sets: Sequence[str] = (), *, registry: Registry) -> Study:
    """A study, checked in full: keys, values, names, files, and what each plugin finds wrong with its blocks.

    sets: `path.to.key=value` texts of the command line. Raises SpecError with all problems at once, in file order.
    """
    from cbtrun.study.checks import check_study

    return check_study(read_study(path, sets), registry)


def local_plugins(path: str | Path, sets: Sequence[str] = ()) -> list[Path]:
    """The Python files under `plugins`, to be loaded (with consent) before the study can be checked.

    What is wrong with the entries themselves is left to `load_study`: here a wrong one is left out.
    """
    written = read_study(path, sets)
    listed = written.document.value.get("plugins")
    found = []
    for index, name in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(name, str) and name:
            file = written.folder_of(written.document.place("plugins", index)) / name
            found += [Path(os.path.normpath(file))] if file.is_file() else []
    return found


def study_of_run(folder: RunFolder, registry: Registry) -> Study:
    """The study that a run folder holds, from its lock file. Nothing is checked again: its files may be gone.

    Raises SpecError when the folder has no lock file.
    """
    from cbtrun.run_lock import lock_of
    from cbtrun.study.checks import unchecked_study

    lock = lock_of(folder)
    if "resolved" not in lock:
        raise SpecError.at(folder.lock_file, "no such file, or not the lock file of a run")
    place = Place(str(folder.lock_file))
    spec = lock["spec"]
    written = Written(Located(node_of(lock["resolved"], place), place.file), Path(spec["file"]), spec["sources"])
    return unchecked_study(written, registry)


def block_path(stage: str, name: str) -> tuple[str, ...]:
    """The path of a block in the study."""
    return (stage,) if stage in SINGLE else (stage, name)


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
