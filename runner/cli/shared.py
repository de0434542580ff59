"""What several commands share: their options, how they load a study, and how they load its plugins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cbtrun.cli.study_names import study_file

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

spec_argument = click.argument("spec", type=click.Path(path_type=Path), callback=study_file)
RUN_FOLDER = "cbtrun.run_folder"
"""Where a command's context keeps the run folder that it works in: the traceback of a fault goes there."""
set_option = click.option(
    "sets",
    "--set",
    multiple=True,
    metavar="PATH=VALUE",
    help="Override a key of the study, e.g. --set sessions.max_turns=12. The value is read as YAML.",
)


def folder_of_runs(context: click.Context, parameter: click.Parameter, runs: Path) -> Path:
    """The folder, which need not be there yet. A file, or a link to nothing, in its place is told before any work."""
    there = next((path for path in (runs, *runs.parents) if os.path.lexists(path)), None)
    if there is None or there.is_dir():
        return runs
    what = "a link that leads to no folder" if there.is_symlink() else "not a folder"
    raise click.BadParameter(f"'{there}' is {what}; run folders go into a folder", context, parameter)


runs_option = click.option(
    "--runs",
    type=click.Path(path_type=Path),
    callback=folder_of_runs,
    default=Path("runs"),
    show_default=True,
    help="Folder that holds the run folders.",
)
plugins_option = click.option(
    "--allow-local-plugins",
    is_flag=True,
    help="Load the Python files that the study lists under `plugins:`. They run with your rights: read them first.",
)


rehearse_option = click.option(
    "--rehearse",
    is_flag=True,
    help="Run the same file with embedded stand-ins for its models and small counts, into a folder of its own.",
)


allow_host_option = click.option(
    "allow_hosts",
    "--allow-host",
    multiple=True,
    metavar="[NAME=]HOST",
    help="Let the key in environment variable NAME (without it: any key that the study names) go to HOST. Vendors' own hosts need no leave.",
)


on_option = click.option(
    "--on",
    "on",
    default="local",
    show_default=True,
    metavar="PLACE",
    help="Where models and trainings run: local, ray (a cluster this machine is in, or one it starts), ray://HOST:PORT, or a YAML file of yours.",
)


def pairs(_: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """`ours=theirs` as a mapping."""
    found = {}
    for pair in given:
        left, sign, right = pair.partition("=")
        if not sign or not left or not right:
            raise click.BadParameter(f"'{pair}' is not of the form A=B", param=option)
        found[left] = right
    return found


def load(
    spec: Path, sets: tuple[str, ...], allow_local: bool, watching: object = None, *, opens_models: bool = True
) -> tuple[Study, Registry]:
    """The checked study and the plugins it may use. opens_models: see `check_study`."""
    from cbtrun.study.checks import check_study
    from cbtrun.study.earlier_forms import told_words
    from cbtrun.study.load import local_plugins
    from cbtrun.study.overrides import read_study

    written = read_study(spec, sets)  # once a command: plugins and checks read the same
    for line in told_words(written.earlier):
        click.echo(f"warning: {line}", err=True)
    registry = registry_with(local_plugins(written), allow_local, watching)
    return check_study(written, registry, opens_models=opens_models), registry


def registry_with(local: list[Path], allow_local: bool, watching: object) -> Registry:
    """Every installed plugin, the study's own files if the user allows them, and the progress display."""
    from cbtrun.errors import PluginError
    from cbtrun.registry import load_registry

    if local and not allow_local:
        names = ", ".join(map(str, local))
        raise PluginError(
            f"the study wants to run Python of its own ({names}); read it, then add --allow-local-plugins"
        )
    return load_registry(local, [("progress", watching)] if watching else [])
