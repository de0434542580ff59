"""Studies from Python: `cbtrun.load_study` checks one, `cbtrun.run` runs it, both as the command line does."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, overload

from cbtrun.cli.run_end import outcome_values
from cbtrun.cli.shared import load
from cbtrun.cli.study_names import file_of_study
from cbtrun.errors import SpecError
from cbtrun.frames.door import at_the_door, shown
from cbtrun.frames.library import library_for
from cbtrun.frames.open_run import run_in
from cbtrun.frames.run_records import IncompleteRun

if TYPE_CHECKING:
    import pandas
    import polars

    from cbtrun.frames.loaded_run import Run
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class CheckedStudy:
    """A study that was checked and found right."""

    path: Path
    """Its file."""
    name: str
    """Of the study, and of its run folder."""
    title: str
    seed: int
    stages: tuple[str, ...]
    """Ids of its stages, in their order."""
    digest: str
    """SHA-256 of all that decides what it does."""
    data: Mapping[str, Any]
    """All it says, with defaults, as plain values."""
    overrides: Mapping[str, Any]
    """What was set over the file."""

    def __repr__(self) -> str:
        return (
            f"<CheckedStudy {shown(self.name)!r} of {self.path}: {len(self.stages)} stages: {', '.join(self.stages)}>"
        )


def load_study(
    path: str | os.PathLike[str], *, overrides: Mapping[str, Any] = NOTHING, allow_local_plugins: bool = False
) -> CheckedStudy:
    """A study, checked as `cbtrun validate` checks it: nothing is run, no server asked, no weight opened.

    path: its file, or the name of one that ships. overrides: `{"sessions.max_turns": 12}`, as `--set` does.
    allow_local_plugins: load the Python files that it lists under `plugins:`, which run with your rights.
    Raises SpecError with all its problems: each of `.problems` has its file, line and column, and says what is allowed.
    """
    with at_the_door():
        study, _ = load(file_of_study(Path(path)), _sets(overrides), allow_local_plugins)
        return _public(study, overrides)


def _public(study: Study, overrides: Mapping[str, Any]) -> CheckedStudy:
    from cbtrun.study.graph import ordered_stages

    stages = tuple(stage.id for stage in ordered_stages(study))
    plain = json.loads(json.dumps(study.data))  # a copy: what you change in it changes no study
    return CheckedStudy(study.path, study.name, study.title, study.seed, stages, study.digest, plain, dict(overrides))


def _sets(overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """What `--set` takes: JSON is YAML."""
    return tuple(f"{path}={json.dumps(value, ensure_ascii=False)}" for path, value in overrides.items())


@overload
def run(
    study: str | os.PathLike[str] | CheckedStudy,
    *,
    runs: str | os.PathLike[str] = "runs",
    overrides: Mapping[str, Any] = NOTHING,
    frames: Literal["pandas"] | None = None,
    quiet: bool = False,
    offline: bool = False,
    rehearse: bool = False,
    consent_remote: bool = False,
    take_over: bool = False,
    redo: Iterable[str] = (),
    concurrency: int = 256,
    allow_hosts: Iterable[str] = (),
    allow_local_plugins: bool = False,
) -> Run[pandas.DataFrame]: ...
@overload
def run(
    study: str | os.PathLike[str] | CheckedStudy,
    *,
    runs: str | os.PathLike[str] = "runs",
    overrides: Mapping[str, Any] = NOTHING,
    frames: Literal["polars"],
    quiet: bool = False,
    offline: bool = False,
    rehearse: bool = False,
    consent_remote: bool = False,
    take_over: bool = False,
    redo: Iterable[str] = (),
    concurrency: int = 256,
    allow_hosts: Iterable[str] = (),
    allow_local_plugins: bool = False,
) -> Run[polars.DataFrame]: ...
def run(
    study: str | os.PathLike[str] | CheckedStudy,
    *,
    runs: str | os.PathLike[str] = "runs",
    overrides: Mapping[str, Any] = NOTHING,
    frames: Literal["pandas", "polars"] | None = None,
    quiet: bool = False,
    offline: bool = False,
    rehearse: bool = False,
    consent_remote: bool = False,
    take_over: bool = False,
    redo: Iterable[str] = (),
    concurrency: int = 256,
    allow_hosts: Iterable[str] = (),
    allow_local_plugins: bool = False,
) -> Run[Any]:
    """Run a study as `cbtrun STUDY` does, everything in it that is not done yet, and give its run with data frames.

    study: its file, the name of one that ships, or what `load_study` gave. runs: folder that holds the run folders.
    overrides, and the others: the options of the command line (`cbtrun run --help`). Shows its progress on standard error;
    quiet: no progress. Warns with IncompleteRun where units failed or something has no score (exit code 3 there);
    `.ended` of the run says all of it.
    Raises CbtrunError as the command line tells it, and KeyboardInterrupt after Ctrl-C, with what is kept; the same call
    goes on from there.
    """
    from cbtrun.keys.secrets import key_ring
    from cbtrun.run.options import RunOptions
    from cbtrun.run.progress import progress_for
    from cbtrun.run.stopped import Interrupted
    from cbtrun.start import start

    library = library_for(frames)  # before the work: its frames are what was asked for
    options = RunOptions(
        keys=key_ring(tuple(allow_hosts)),
        offline=offline,
        consent_remote=consent_remote,
        concurrency=concurrency,
        take_over=take_over,
        redo=frozenset(redo),
        announce=_silence if quiet else _tell,
    )
    with at_the_door(), closing(progress_for(quiet=quiet)) as watching:
        checked, registry = _checked(study, overrides, allow_local_plugins, watching, opens_models=not offline)
        try:
            outcome, ran = start(checked, registry, Path(runs), options, rehearse=rehearse)
        except Interrupted as error:  # what ends a loop over studies, too
            raise KeyboardInterrupt(str(error)) from None
    done = run_in(outcome.folder.path, library)
    done.ended = MappingProxyType(outcome_values(outcome, ran))
    if told := _lacking(done.ended):
        warnings.warn(IncompleteRun(f"{done.path}: {told}"), stacklevel=3)  # where `cbtrun.run` was called
    return done


def _checked(
    study: str | os.PathLike[str] | CheckedStudy,
    overrides: Mapping[str, Any],
    allow_local_plugins: bool,
    watching: object,
    *,
    opens_models: bool,
) -> tuple[Study, Registry]:
    """The study to run, and its plugins. Raises SpecError for a file that is another one than `load_study` read."""
    if not isinstance(study, CheckedStudy):
        return load(
            file_of_study(Path(study)), _sets(overrides), allow_local_plugins, watching, opens_models=opens_models
        )
    sets = _sets({**study.overrides, **overrides})
    found = load(study.path, sets, allow_local_plugins, watching, opens_models=opens_models)
    if not overrides and found[0].digest != study.digest:
        raise SpecError.at(study.path, "was changed since load_study read it; load it again, or run the file")
    return found


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _silence(line: str) -> None:
    """Tell nobody."""


def _lacking(ended: Mapping[str, Any]) -> str:
    """What is not there of what was asked for, in words; empty where all is."""
    parts = [f"{ended['failed']} failed, which the same call tries again (.failures)"] if ended["failed"] else []
    return "; ".join([*parts, *(f"nothing scored: {one}" for one in ended["nothing_scored"])])
