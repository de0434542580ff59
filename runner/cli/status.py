"""`cbtrun status`: how far a run is, or all runs of a folder."""

from __future__ import annotations

from pathlib import Path

import click

from cbtrun.cli.run_names import maybe_run_argument, runs_of_option


@click.command()
@maybe_run_argument
@runs_of_option
def status(run_folder: Path | None, runs: Path) -> None:
    """Say how far a run is, from any terminal, also while it runs. Without RUN: all runs, those written last first.

    RUN is a run folder, the name of a study, or its file.
    """
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.run.run_list import run_paths, run_state
    from cbtrun.run.status import status_lines

    if run_folder is not None:
        for line in status_lines(RunFolder(run_folder)):
            click.echo(line)
        return
    paths = run_paths(runs)
    for path in paths:
        click.echo(run_state(path).words())
    if not paths:
        click.echo(f"{runs} holds no run yet; cbtrun STUDY.yaml makes one", err=True)
