"""`cbtrun journal ...`: look after the journal of a run folder, and pass it on."""

from __future__ import annotations

from pathlib import Path

import click

from cbtrun.cli.run_names import run_argument

new_run_argument = click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
file_argument = click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))


@click.group()
def journal() -> None:
    """Pass on, check or shrink the journal, or see which batches wait: every reply that a run got.

    A study published with its journal can be rated and analysed again by anyone, without a key:

    \b
    cbtrun journal export runs/mine mine.jsonl.xz
    cbtrun journal import runs/mine mine.jsonl.xz      (elsewhere)
    cbtrun mine.yaml --offline

    Neither weights nor adapters are needed there.
    """


@journal.command("export", short_help="Write every reply of a run to a file.")
@run_argument
@file_argument
@click.option("--overwrite", is_flag=True, help="Replace FILE where it is there already.")
def export(run_folder: Path, file: Path, overwrite: bool) -> None:
    """Write every reply of RUN's journal to FILE (JSON lines, packed). No key or header is in it.

    FILE is packed by gzip, or by xz if its name ends in .xz: that takes longer and half the room. With the replies goes what
    tells the models and adapters that gave them from others, and what each tuning wrote about itself: no weights, and no words
    of a corpus.

    Of a damaged journal every reply that can still be read, and how much cannot.
    """
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.journal.exchange import export_journal

    found = export_journal(RunFolder(run_folder), file, overwrite=overwrite)
    pending = f", {found.draws:,} draws in {found.batches:,} batches that wait" if found.batches else ""
    click.echo(f"{file}: {found.calls:,} calls{pending}{_beside(found.models, found.adapters)}; {_size(file)}")
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
    """Add the replies in FILE to RUN's journal: all or none. RUN is made if it is not there.

    What tunings wrote about themselves is put beside it, so that `--offline` replays them too.
    """
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.journal.exchange import import_journal

    found = import_journal(RunFolder(run_folder), file)
    pending = f"; {found.draws:,} draws wait in batches" if found.draws else ""
    beside = _beside(found.models, found.adapters)
    click.echo(f"{run_folder}: {found.added:,} calls added, {found.known:,} were there already{beside}{pending}")


def _beside(models: int, adapters: int) -> str:
    """What an export holds beside calls, in words; empty where it is of an earlier version."""
    found = [f"{models:,} model{'s' * (models != 1)}"] if models else []
    found += [f"{adapters:,} tuning{'s' * (adapters != 1)}"] if adapters else []
    return f", with what tells {' and '.join(found)} from others" if found else ""


def _size(file: Path) -> str:
    size = file.stat().st_size
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"


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


@journal.command(short_help="Show batches that wait, or settle one.")
@run_argument
@click.option("--found", metavar="BATCH=ID", help="It is at the vendor, under this id: the next run collects it.")
@click.option("--not-submitted", metavar="BATCH", help="It is not there: the next run asks for its draws anew.")
@click.option("--give-up", metavar="BATCH", help="Ask for its draws anew, whatever the batch has cost.")
def pending(run_folder: Path, found: str | None, not_submitted: str | None, give_up: str | None) -> None:
    """Show the batches of RUN that wait at vendors, or say what became of one.

    A run stops (exit 4) where nobody can tell whether a batch was submitted: look at the vendor's page of batches and say it
    here. The same command of the run then goes on.
    """
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.journal.pending import give_up as given_up
    from cbtrun.journal.pending import pending_lines_of, say_found, say_not_submitted

    folder = RunFolder(run_folder)
    if found is not None:
        batch, _, id_ = found.partition("=")
        if not id_:
            raise click.UsageError("--found takes BATCH=ID, the id as the vendor shows it")
        click.echo(say_found(folder, batch, id_))
    if not_submitted is not None:
        click.echo(say_not_submitted(folder, not_submitted))
    if give_up is not None:
        click.echo(given_up(folder, give_up))
    if (found, not_submitted, give_up) == (None, None, None):
        click.echo("\n".join(pending_lines_of(folder)) or "no batch waits")


@journal.command(short_help="Make a run's journal as small as it can be.")
@run_argument
def compact(run_folder: Path) -> None:
    """Make the file of RUN's journal as small as it can be; nothing in it changes."""
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.journal.exchange import compact_journal

    before, after = compact_journal(RunFolder(run_folder))
    click.echo(f"{run_folder}: {before / 2**20:,.1f} MiB, now {after / 2**20:,.1f} MiB")
