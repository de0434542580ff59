"""`cbtrun slurm`: a study as one batch script of Slurm, and its submission."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from cbtrun.cli.shared import plugins_option, runs_option, set_option, spec_argument


@click.command()
@spec_argument
@click.argument("run_options", nargs=-1, type=click.UNPROCESSED)
@set_option
@runs_option
@plugins_option
@click.option("--nodes", type=click.IntRange(1), default=1, show_default=True, help="Machines.")
@click.option("--gpus", type=click.IntRange(0), default=1, show_default=True, help="GPUs of each.")
@click.option("--cpus", type=click.IntRange(1), default=8, show_default=True, help="Cores of each.")
@click.option(
    "--time", default="24:00:00", show_default=True, help="Time limit of one job; the study goes on in the next."
)
@click.option(
    "--notice", type=click.IntRange(30), default=180, show_default=True, metavar="SECONDS",
    help="How long before the limit the run is told to stop.",
)  # fmt: skip
@click.option(
    "--sbatch", "more", multiple=True, metavar="OPTION", help="Further option of sbatch: --sbatch=--partition=gpu."
)
@click.option(
    "--before",
    multiple=True,
    metavar="LINE",
    help="Line of bash before the study: 'module load cuda', '. venv/bin/activate'.",
)
@click.option("--dry-run", is_flag=True, help="Show the script; write and submit nothing.")
def slurm(spec: Path, runs: Path, run_options: tuple[str, ...], dry_run: bool, **asked: Any) -> None:
    """Write a batch script that runs SPEC on machines of Slurm by Ray, and submit it.

    Options for `cbtrun run` stand behind `--`. Before its time limit the job stops cleanly (exit 4), is requeued and goes on. It
    is found again by the study's name.
    """
    from cbtrun.before.slurm_script import SlurmJob, batch_script
    from cbtrun.cli.shared import load
    from cbtrun.files.run_folder import write_atomically

    sets, local, notice = asked.pop("sets"), asked.pop("allow_local_plugins"), asked.pop("notice")
    study, _ = load(spec, sets, local)
    file = f"./{spec}" if str(spec).startswith("-") else str(spec)
    command = [_program(), "run", file, "--runs", str(runs)]
    command += [word for one in sets for word in ("--set", one)]
    command += ["--allow-local-plugins"] * local
    log = runs.absolute() / f"{study.name}.slurm.log"
    script = batch_script(
        SlurmJob(study.name, (*command, *run_options), Path.cwd(), log, notice_seconds=notice, **asked)
    )
    if dry_run:
        click.echo(script, nl=False)
        return
    path = runs / f"{study.name}.sbatch"
    write_atomically(path, script)
    click.echo(f"wrote {path}")
    _submit(path)


def _program() -> str:
    """Cbtrun as it is installed here: a job's shell may find another one, or none."""
    beside = Path(sys.executable).parent / "cbtrun"
    return str(beside) if beside.is_file() else "cbtrun"


def _submit(path: Path) -> None:
    """Hand the script to sbatch. Raises StageError where there is none, or it refuses."""
    import shutil
    import subprocess

    from cbtrun.errors import StageError

    sbatch = shutil.which("sbatch")
    if sbatch is None:
        raise StageError(f"there is no `sbatch` on this machine; submit the script where there is one: sbatch {path}")
    done = subprocess.run([sbatch, str(path.resolve())], capture_output=True, text=True, check=False)
    click.echo(done.stdout.strip())
    if done.returncode:
        raise StageError(f"sbatch refused {path}: {done.stderr.strip()}")
