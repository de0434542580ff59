"""`cbtrun package` and `cbtrun verify`: a run as one archive, and what it proves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cbtrun.cli.answers import json_option, print_answer
from cbtrun.cli.run_names import run_argument, runs_of_option

NOT_VERIFIED = 3


@click.command()
@run_argument
@runs_of_option
@click.option(
    "--to", type=click.Path(path_type=Path, dir_okay=False), help="File to write; RUN's name and .zip without it."
)
@click.option("--adapters", is_flag=True, help="Put the weights of adapters in, not their digests alone.")
@click.option(
    "--author", "authors", multiple=True, metavar="NAME", help="An author, given name first; once for each, in order."
)
@click.option("--licence", default="", metavar="SPDX", help="Terms of what is yours in it, such as CC-BY-4.0.")
@click.option(
    "--words-with-consent", is_flag=True, help="Put words of real people in: they have consented to their publication."
)
def package(run_folder: Path, runs: Path, to: Path | None, **wanted: Any) -> None:
    """Write RUN as one archive: study, registration, replies, tables, figures, report, described by RO-Crate and Croissant.

    `cbtrun verify` derives every number of it again, on any machine. Words of real people are left out, unless they have
    consented to publication; without them nothing can be derived again, and the package says so.
    """
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.packaging.write import Wanted, write_package
    from cbtrun.registry import load_registry
    from cbtrun.run.study_lock import local_plugins_of

    folder = RunFolder(run_folder)
    target = to or Path(f"{run_folder.resolve().name}.zip")
    registry = load_registry(local_plugins_of(folder)) if local_plugins_of(folder) else load_registry()
    made = write_package(folder, target, Wanted(**wanted), registry)
    click.echo(f"{made.file}: {made.files:,} files, {made.file.stat().st_size / 1e6:,.1f} MB, SHA-256 {made.digest}")
    for line in made.left_out:
        click.echo(f"  not in it: {line}")
    if not wanted["licence"]:
        click.echo("  no licence is stated: nobody may use it; --licence CC-BY-4.0 would let them")
    click.echo(f"check it as others will: cbtrun verify {made.file}")


@click.command()
@click.argument("package_file", metavar="PACKAGE", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--allow-local-plugins", is_flag=True, help="Load the Python files that its study lists. They run with your rights: read them first.")  # fmt: skip
@json_option
def verify(package_file: Path, allow_local_plugins: bool, as_json: bool) -> None:
    """Say what PACKAGE proves: hold its files against their digests, and make every number of it again from its replies.

    Needs no key, network, GPU or weights. Exit code 0: everything that can be derived is the same, byte for byte or within
    1e-9. 3: something is not, and is named. 2: no package.
    """
    from cbtrun.packaging.verify import as_json as document
    from cbtrun.packaging.verify import told, verify_package

    found = verify_package(package_file, allow_local_plugins=allow_local_plugins)
    if as_json:
        print_answer({"exit_code": 0 if found.sound else NOT_VERIFIED, **document(found)})
    else:
        click.echo("\n".join(told(found)))
    if not found.sound:
        raise click.exceptions.Exit(NOT_VERIFIED)
