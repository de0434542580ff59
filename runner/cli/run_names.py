"""RUN on the command line: a run folder, the name of a study, its file, or nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from cbtrun.cli.shared import RUN_FOLDER, folder_of_runs

SPECS = (".yaml", ".yml")

runs_of_option = click.option(
    "--runs",
    type=click.Path(path_type=Path),
    callback=folder_of_runs,
    is_eager=True,  # RUN is looked up in it
    default=Path("runs"),
    show_default=True,
    help="Folder that holds the run folders.",
)


class RunName(click.ParamType[Path]):
    """A run, given as its folder, as its study's name or as its study's file; gives the folder's path."""

    name = "run"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The run folder. Fails with what there is where there is no such run, or two that could be meant."""
        runs = _runs(ctx)
        try:
            path = folder_of_run(str(value), runs)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if ctx is not None:
            from cbtrun.files.run_folder import RunFolder

            ctx.meta[RUN_FOLDER] = RunFolder(path)
        return path

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Names of the runs, and folders where a path is written."""
        from cbtrun.run.run_list import run_paths

        if os.sep in incomplete:
            return [CompletionItem(incomplete, type="dir")]
        return [CompletionItem(path.name) for path in run_paths(_runs(ctx)) if path.name.startswith(incomplete)]


def folder_of_run(given: str, runs: Path) -> Path:
    """The run folder that is meant. Raises ValueError with what to say instead."""
    from cbtrun.run.run_list import is_run

    path, named = Path(given), runs / given
    if path.is_file():
        return _of_spec(path, runs)
    bare = os.sep not in given.rstrip(os.sep) and given not in (".", "..")
    if bare and is_run(named) and is_run(path) and not named.samefile(path):
        raise ValueError(f"'{given}' may be ./{given} or {named}: write which")
    if path.is_dir() and (is_run(path) or not (bare and is_run(named))):
        return path
    if bare and named.is_dir():
        return named
    if bare and (file := _spec_named(given)):
        raise ValueError(f"no run '{given}' in {runs} yet; cbtrun {file} makes it")
    raise ValueError(f"no run '{given}': no such folder or file, and {known_runs(runs, given)}")


def known_runs(runs: Path, given: str = "") -> str:
    """What runs there are, in words."""
    from cbtrun.documents.schema_words import did_you_mean
    from cbtrun.run.run_list import run_paths

    names = [path.name for path in run_paths(runs)]
    if not names:
        return f"{runs} holds no run"
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"{runs} holds: {shown}{did_you_mean(given, names) if given else ''}"


def only_run(ctx: click.Context) -> Path:
    """The run that is meant where none is named: the only one there is. Fails with all of them otherwise."""
    from cbtrun.run.run_list import run_paths

    runs = _runs(ctx)
    paths = run_paths(runs)
    if len(paths) == 1:
        return RunName().convert(str(paths[0]), None, ctx)
    raise click.UsageError(f"which run? {known_runs(runs)}", ctx)


def _of_spec(path: Path, runs: Path) -> Path:
    """The run folder of a study's file."""
    from cbtrun.errors import CbtrunError
    from cbtrun.run.run_list import is_run
    from cbtrun.study.overrides import read_study

    if path.suffix not in SPECS:
        raise ValueError(f"'{path}' is neither a run folder nor a study's file (.yaml)")
    try:
        study = read_study(path).document.value.get("study")
    except CbtrunError as error:
        raise ValueError(str(error)) from None
    if not isinstance(study, str) or not study or Path(study).name != study:
        raise ValueError(f"'{path}' is no study's file: it names no study")
    folder = runs / study
    if not is_run(folder):
        rehearsed = is_run(runs / f"{study}-rehearsal")
        also = f"; its rehearsal is {study}-rehearsal" if rehearsed else ""
        raise ValueError(f"'{path}' has no run in {runs} yet (there is no {folder}){also}")
    return folder


def _spec_named(name: str) -> str:
    return next((f"{name}{end}" for end in SPECS if Path(f"{name}{end}").is_file()), "")


def _runs(ctx: click.Context | None) -> Path:
    runs = ctx.params.get("runs") if ctx is not None else None
    return runs if isinstance(runs, Path) else Path("runs")


run_argument = click.argument("run_folder", metavar="RUN", type=RunName())
maybe_run_argument = click.argument("run_folder", metavar="[RUN]", required=False, type=RunName())
