"""`cbtrun import`: what a file or folder holds, and the study that reads it."""

from __future__ import annotations

from pathlib import Path

import click

from cbtrun.cli.shared import pairs

SPEAKER = "The file's word for the {}; may be given several times."


@click.command("import")
@click.argument("source", metavar="FILE-OR-FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(["rate", "tune", "check", "agree", "personas"]),
    help="What the study is for: rate these sessions, tune on them, check a rater against their labels, compare a rater with "
    "people's scores, talk to these persons. Without it, what fits.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the study; without it, the terminal.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option(
    "--block",
    is_flag=True,
    help="Give the block alone (`sessions:`, `corpus:` or `personas:`), for a study that you have.",
)
@click.option("--therapist", "therapists", multiple=True, metavar="WORD", help=SPEAKER.format("therapist"))
@click.option("--patient", "patients", multiple=True, metavar="WORD", help=SPEAKER.format("patient"))
@click.option("--skip", "skipped", multiple=True, metavar="WORD", help="A speaker whose turns are left out.")
@click.option(
    "--begins",
    default="",
    type=click.Choice(["", "therapist", "patient"]),
    metavar="therapist|patient",
    help="Who begins each session, where turns alternate and nobody is named.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    callback=pairs,
    metavar="OURS=THEIRS",
    help="A column of the file: session, order, speaker, text; messages, role, content; question, answer; rejected; persona.",
)
@click.option(
    "--where",
    multiple=True,
    callback=pairs,
    metavar="COLUMN=VALUE",
    help="Read those rows alone, e.g. one annotator's.",
)
@click.option(
    "--label", default="", metavar="COLUMN", help="With --to check: the column that tells good sessions from poor ones."
)
@click.option("--better", default="", metavar="LEVEL", help="With --to check: the level of it that is the better one.")
@click.option(
    "--ratings",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --to agree: people's scores in a file of their own.",
)
@click.option("--delimiter", default="", metavar="CHAR", help="What parts the columns of a CSV; found if not given.")
@click.option("--encoding", default="", metavar="NAME", help="Encoding, e.g. windows-1252; UTF-8 and UTF-16 are found.")
@click.option(
    "--records",
    default="",
    metavar="PATH",
    help="Where the records of a JSON document are, e.g. sessions[]; found if not given.",
)
@click.option("--sheet", default="", metavar="NAME", help="Sheet of a workbook that has several.")
def import_(
    source: Path,
    to: str | None,
    output: Path | None,
    force: bool,
    block: bool,
    therapists: tuple[str, ...],
    patients: tuple[str, ...],
    skipped: tuple[str, ...],
    begins: str,
    columns: dict[str, str],
    where: dict[str, str],
    label: str,
    better: str,
    ratings: Path | None,
    delimiter: str,
    encoding: str,
    records: str,
    sheet: str,
) -> None:
    """Look at a file, a folder or a pattern in quotes, say what it is, and write a study that reads it.

    Shows the first sessions as they were understood, and what would be left out and why. What cannot be known is asked
    for by an option; a guess is called one. Nothing is asked on the terminal, and nothing leaves this machine.

    \b
    cbtrun import talks/ -o study.yaml                 rate the sessions of a folder
    cbtrun import export.csv --therapist T --patient C
    cbtrun import chats.jsonl --to tune -o tune.yaml   tune on them
    cbtrun import talks.csv --block > sessions.yaml    the block alone
    """
    from cbtrun.errors import SpecError
    from cbtrun.files.run_folder import write_atomically
    from cbtrun.intake.directions import Directions
    from cbtrun.intake.written import ImportRequest, imported
    from cbtrun.registry import load_registry
    from cbtrun.tables.row import Writing

    if output and output.exists() and not force:
        raise SpecError.at(output, "is there already; --force writes over it, -o NAME takes another name")
    if output and not output.parent.is_dir():
        raise SpecError.at(output, "no such folder to write into")
    speakers = {"therapist": therapists, "patient": patients, "skip": skipped}
    asked = Directions(to or ("agree" if ratings else ""), columns, speakers, begins, where, label, better)
    wanted = ImportRequest(asked, Writing(delimiter, encoding, records, sheet=sheet), output, ratings, block)
    done = imported(source, wanted, load_registry())
    for line in done.lines:
        click.echo(line, err=output is None)  # without -o, the YAML alone goes to a pipe
    if output is None:
        click.echo(done.text, nl=False)
        return
    write_atomically(output, done.text)
    click.echo(f"wrote {output}")
    for number, command in enumerate(done.next):
        click.echo(f"{'next:' if not number else '     '} {command}")
