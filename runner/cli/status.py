"""`cbtrun status`: how far a run is, or all runs of a folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from cbtrun.cli.answers import json_option, print_answer
from cbtrun.cli.run_names import maybe_run_argument, runs_of_option


@click.command()
@maybe_run_argument
@runs_of_option
@json_option
def status(run_folder: Path | None, runs: Path, as_json: bool) -> None:
    """Say how far a run is, from any terminal, also while it runs. Without RUN: all runs, those written last first.

    RUN is a run folder, the name of a study, or its file.
    """
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.run.run_list import run_paths, run_state
    from cbtrun.run.status import status_lines

    if as_json:
        paths = [run_folder] if run_folder is not None else run_paths(runs)
        print_answer({"command": "status", "exit_code": 0, "runs": [_values(path) for path in paths]})
        return
    if run_folder is not None:
        for line in status_lines(RunFolder(run_folder)):
            click.echo(line)
        return
    paths = run_paths(runs)
    for path in paths:
        click.echo(run_state(path).words())
    if not paths:
        click.echo(f"{runs} holds no run yet; cbtrun STUDY.yaml makes one", err=True)


def _values(path: Path) -> dict[str, Any]:
    """A run for programs: its state, its stages, and what is in progress."""
    from cbtrun.run.run_list import run_state
    from cbtrun.run.running import in_progress

    run = run_state(path)
    told = in_progress(path / "running.json", time.time()) if run.state == "running" else None
    now = [
        {
            "stage": note.stage,
            "done": note.done,
            "total": note.total,
            "counted": note.counted or "units",
            "seconds": told.seconds[note.stage],
            "seconds_left": told.left.get(note.stage),
            "calls": note.calls,
            "kept": note.replayed,
            "tokens": note.tokens,
            "usd": note.usd,
            "retries": note.retries,
        }
        for note in (told.notes if told else ())
        if told
    ]
    return {
        "name": run.name, "folder": str(path), "state": run.state, "done": dict(run.done), "to_do": list(run.to_do), "now": now,
    }  # fmt: skip
