"""`cbtrun journal ...`: look after the journal of a run folder, and pass it on."""

from __future__ import annotations

from pathlib import Path

import click

from cbtrun.cli.run_names import run_argument

new_run_argument = click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
file_argument = click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))


@click.group()
def journal() -> None:
    """Pass on, check or shrink the journal: every reply that a run got.

    A study published with its journal can be rated and analysed again by anyone, without a key:

    \b
    cbtrun journal export runs/mine mine.jsonl.gz
    cbtrun journal import runs/mine mine.jsonl.gz      (elsewhere)
    cbtrun mine.yaml --offline
    """


@journal.command("export", short_help="Write every reply of a run to a file.")
@run_argument
@file_argument
@click.option("--overwrite", is_flag=True, help="Replace FILE where it is there already.")
def export(run_folder: Path, file: Path, overwrite: bool) -> None:
    """Write every reply of RUN's journal to FILE (gzipped JSON lines). No key or header is in it.

    Of a damaged journal every reply that can still be read, and how much cannot.
    """
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.journal.exchange import export_journal

    found = export_journal(RunFolder(run_folder), file, overwrite=overwrite)
    click.echo(f"{file}: {found.calls:,} calls")
    if found.unreadable or found.gaps:
        click.echo(
            f"The journal is damaged: {found.unreadable:,} calls in it are no text, and {found.gaps:,} stretches of it cannot "
            "be read. What could be read is saved.",
            err=True,
        )


@journal.command("import", short_help="Add the replies of a file to a run.")
@new_run_argument
@file_argument
def import_(run_folder: Path, file: Path) -> None:
    """Add the replies in FILE to RUN's journal: all or none. RUN is made if it is not there."""
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.journal.exchange import import_journal

    found = import_journal(RunFolder(run_folder), file)
    click.echo(f"{run_folder}: {found.added:,} calls added, {found.known:,} were there already")


@journal.command(short_help="Say what is broken in a run's journal.")
@run_argument
def check(run_folder: Path) -> None:
    """Read all of RUN's journal and say what is broken in it."""
    from cbtrun.errors import StageError
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.journal.exchange import check_journal

    folder = RunFolder(run_folder)
    if found := check_journal(folder):
        raise StageError("\n".join([f"{folder.journal}: damaged", *found]))
    click.echo(f"{folder.journal}: sound")


@journal.command(short_help="Make a run's journal as small as it can be.")
@run_argument
def compact(run_folder: Path) -> None:
    """Make the file of RUN's journal as small as it can be; nothing in it changes."""
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.journal.exchange import compact_journal

    before, after = compact_journal(RunFolder(run_folder))
    click.echo(f"{run_folder}: {before / 2**20:,.1f} MiB, now {after / 2**20:,.1f} MiB")
