"""The study of a run as it was written: its file, what that extends and reads, and what the command line set."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.contract.digests import bytes_digest
from cbtrun.errors import StageError
from cbtrun.files.run_folder import RunFolder
from cbtrun.run.study_lock import lock_of, study_of_run
from cbtrun.study.frozen import file_name
from cbtrun.tables.file_set import files_of, is_pattern

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

LEFT = object()


@dataclass(frozen=True)
class WrittenStudy:
    """What a run was made from, as files of their own and as the command line."""

    study: Study
    """As the run has it."""
    root: Path
    """The folder that all its files lie in."""
    texts: tuple[Path, ...]
    """Its file first, then what that extends and its own rubrics."""
    files: tuple[Path, ...]
    """Every other file that it reads, its own Python too."""
    shipped: tuple[str, ...]
    """What it reads of cbtrun's own, by name: not in a package, for whoever installs cbtrun has it."""
    sets: tuple[str, ...]
    """`PATH=VALUE` of the command line, without folders in which weights lay."""

    def inside(self, path: Path) -> str:
        """A file's place below `study/`."""
        return Path(os.path.normpath(path.absolute())).relative_to(self.root).as_posix()


def written_study(folder: RunFolder, registry: Registry) -> WrittenStudy:
    """The study that a run was made from. Raises StageError where a file of it is gone, was changed, or lies nowhere to follow."""
    study = study_of_run(folder, registry)
    lock = lock_of(folder)
    spec = Path(lock["spec"]["file"])
    texts = _texts(spec, study, lock["spec"]["sources"], folder)
    files = [*_files(study), *(study.folder / name for name in study.plugins)]
    own = [path for path in [*texts, *files] if not _ships(path, study.folder)]
    if _ships(spec, study.folder):
        own.insert(0, spec)
    ours = tuple(sorted({file_name(one, study.folder) for one in [*texts[1:], *files] if _ships(one, study.folder)}))
    root = Path(os.path.commonpath([str(Path(os.path.normpath(one.absolute())).parent) for one in own]))
    _refuse_absolute(study, folder)
    chosen = dict.fromkeys(own)
    return WrittenStudy(
        study,
        root,
        tuple(one for one in texts if one in chosen),
        tuple(sorted({one for one in files if one in chosen} - {*texts})),
        ours,
        tuple(_sets(spec, study, registry)),
    )


def _files(study: Study) -> Iterator[Path]:
    for one in study.all_references:
        if one.path is None:
            continue
        if is_pattern(one.path) or one.path.is_dir():
            yield from (
                files_of(one.path) if is_pattern(one.path) else sorted(p for p in one.path.rglob("*") if p.is_file())
            )
        elif one.path.is_file():
            yield one.path
        else:
            raise StageError(
                f"{one.path}: the study reads it, and it is gone; put it back, or nobody can check the run"
            )


def _ships(path: Path, folder: Path) -> bool:
    return file_name(path, folder).startswith("cbtrun")


def _texts(spec: Path, study: Study, kept: Mapping[str, str], folder: RunFolder) -> list[Path]:
    """The study's file and what its words came from beside it. Raises StageError for one that is not as it was.

    kept: as the lock file has it: file, as it was shown then, and its SHA-256.
    """
    from cbtrun.study.overrides import read_study

    if not spec.is_file():
        raise StageError(f"{spec}: {folder.path} was made from it, and it is gone; put it back")
    found = {
        **read_study(spec, ()).sources,
        **{str(path): bytes_digest(path.read_bytes()) for path in study.rubric_files.values()},
    }
    for name, digest in found.items():
        if digest not in kept.values():
            raise StageError(
                f"{name}: was changed since {folder.path} was made from it, so that its results would not come out of it; "
                "put it back as it was, or run the study again"
            )
    return [spec, *(Path(os.path.normpath(Path(name).absolute())) for name in [*found][1:])]


def _refuse_absolute(study: Study, folder: RunFolder) -> None:
    for one in study.all_references:
        if one.path is not None and Path(one.name).is_absolute() and not _ships(one.path, study.folder):
            raise StageError(
                f"{folder.path}: {'/'.join(map(str, one.at))} names {one.name} by an absolute path, where nobody else has it; "
                "name it relative to the study's file and run the study again (nothing is paid for twice)"
            )


def _sets(spec: Path, study: Study, registry: Registry) -> Iterator[str]:
    """What the command line changed of the file."""
    from cbtrun.study.checks import study_as_kept
    from cbtrun.study.overrides import read_study

    plain = study_as_kept(read_study(spec, ()), registry)
    where = {("models", name, key) for name in study.named_weights for key in ("model", "revision")}
    for path, value in _changed(plain.data, study.data, ()):
        if path not in where:
            yield f"{'.'.join(map(str, path))}={json.dumps(value, ensure_ascii=False)}"


def _changed(before: Any, after: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in after:
            yield from _changed(before.get(key, LEFT), after[key], (*path, key))
    elif before is LEFT or before != after:
        yield path, after
