"""The runs of a folder, each with its state, from their own files: nothing of them is loaded or run."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbtrun.contract.stage_kinds import STAGES, stage_id
from cbtrun.errors import CbtrunError
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.columns import cast_of
from cbtrun.journal.tables import connect_to_read
from cbtrun.journal.trouble import told
from cbtrun.run.fingerprints import RESULTS
from cbtrun.run.progress_line import shortened
from cbtrun.run.study_lock import lock_of

MARKS = ("journal.sqlite", "study.lock.yaml", "results.json")
"""Files by which a run folder is known."""
MOST_RUNS = 1000


@dataclass(frozen=True)
class RunState:
    """One run, as a list of runs shows it."""

    path: Path
    state: str
    """`running`, `finished`, `not finished`, or what is wrong with the folder."""
    done: Mapping[str, int]
    """Stage that is done -> its records, in the order of the study."""
    to_do: tuple[str, ...]
    """Stages that are not, in the order of the study."""
    changed: float = 0.0
    """When its journal was last written, in seconds since 1970."""

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.path.name

    def words(self) -> str:
        """`quickstart  finished  9 of 9 stages  2026-11-28 04:12`."""
        stages = f"{len(self.done)} of {len(self.done) + len(self.to_do)} stages" if self.done or self.to_do else ""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.changed)) if self.changed else ""
        return f"{shortened(self.name, 30):<30} {self.state:<13} {stages:<15} {when}".rstrip()


def is_run(path: Path) -> bool:
    """Whether a folder looks like a run's."""
    return any((path / mark).is_file() for mark in MARKS)


def run_paths(folder: Path) -> list[Path]:
    """The run folders within a folder, those written last first."""
    found = [path for path in folder.iterdir() if path.is_dir() and is_run(path)] if folder.is_dir() else []
    return sorted(found, key=lambda path: (-_changed(path), path.name))[:MOST_RUNS]


def run_state(path: Path) -> RunState:
    """How far a run is; a damaged one says so."""
    try:
        folder = RunFolder(path)
        done, to_do = stages_of(folder)
        holder = folder.held_by()
        at_work = holder is not None and not holder.is_silent
        state = "running" if at_work else "not finished" if to_do else "finished"
        return RunState(path, state, done, tuple(to_do), _changed(path))
    except CbtrunError:
        return RunState(path, "cannot be read", {}, (), _changed(path))


def stages_of(folder: RunFolder) -> tuple[dict[str, int], list[str]]:
    """The stages that are done with their records, and those to do, in the order of the study."""
    marks = _marks(folder)
    wanted = _stage_ids(lock_of(folder).get("resolved") or {})
    done = {stage: marks[stage] for stage in wanted if stage in marks}
    return done, [stage for stage in wanted if stage not in marks]


def _marks(folder: RunFolder) -> dict[str, int]:
    """Stage -> records, of those that are marked as done."""
    if not folder.journal.exists():
        return {}
    with closing(connect_to_read(folder.journal)) as connection, told(folder.journal):
        if not _has_stages(connection):
            return {}
        return dict(connection.execute(f"SELECT {cast_of('stage')}, {cast_of('units')} FROM stages"))


def _has_stages(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'stages'").fetchone()[0])


def _stage_ids(study: Mapping[str, Any]) -> Sequence[str]:
    """Ids of the stages of a resolved study, in its usual order, its results before the report."""
    return [
        *_of_blocks(study, [block for block in STAGES if block != "report"]),
        RESULTS.id,
        *_of_blocks(study, ["report"]),
    ]


def _of_blocks(study: Mapping[str, Any], blocks: Sequence[str]) -> Iterator[str]:
    for block in blocks:
        content = study.get(block)
        if not isinstance(content, Mapping) or not content:
            continue
        yield from (stage_id(block, name) for name in content) if STAGES[block].named else [stage_id(block, "")]


def _changed(path: Path) -> float:
    return max(((path / mark).stat().st_mtime for mark in MARKS if (path / mark).is_file()), default=0.0)
