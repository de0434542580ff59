"""`cbtrun sheet` and `cbtrun agree`: rating sheets for people, and how far models agree with them."""

from __future__ import annotations

from pathlib import Path

import click

from cbtrun.cli.rating_options import page_options
from cbtrun.cli.run_names import run_argument
from cbtrun.cli.shared import pairs

ratings_option = click.option(
    "--ratings", "set_name", metavar="SET", help="Rating set of the run; not needed where it has one."
)


@click.command()
@run_argument
@ratings_option
@click.option("--sessions", "count", type=click.IntRange(1), help="Sessions to draw; 20 if nothing says how many.")
@click.option(
    "--design",
    "kind",
    type=click.Choice(["sessions", "pairs", "all"]),
    help="Draw sessions one by one (the default), pairs (a persona with a session of every arm), or take all.",
)
@click.option("--pairs", "pairs", type=click.IntRange(1), help="Personas to draw, each with a session of every arm.")
@click.option(
    "--arm", "arms", multiple=True, metavar="NAME", help="Draw from this arm alone; several times for several arms."
)
@click.option(
    "--minutes", type=click.FloatRange(1), help="Draw as many as one person can rate in so many minutes, all in all."
)
@click.option(
    "--minutes-each",
    type=click.FloatRange(0.1),
    help="Minutes that a session took, measured; without it they are told from its words and items.",
)
@click.option(
    "--timed",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="What raters saved before: minutes of a session by its column `seconds`, the time on task.",
)
@click.option(
    "--by",
    "strata",
    multiple=True,
    metavar="NAME",
    help="Draw evenly over the levels of this factor or label, or `arm`."
    " May be given several times; without it: arms, else the first factor.",
)
@click.option(
    "--raters",
    type=click.IntRange(1, 99),
    default=1,
    show_default=True,
    help="Sheets to make, each in an order of its own.",
)
@page_options
@click.option(
    "--new", is_flag=True, help="Draw again, with new codes; the key that is there is kept under another name."
)
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Folder for the sheets; RUN/sheets if not given.")
def sheet(
    run_folder: Path,
    set_name: str | None,
    count: int | None,
    kind: str | None,
    pairs: int | None,
    arms: tuple[str, ...],
    minutes: float | None,
    minutes_each: float | None,
    timed: tuple[Path, ...],
    strata: tuple[str, ...],
    raters: int,
    codes: tuple[str, ...],
    preferences: int,
    consent: Path | None,
    instructions: Path | None,
    training: str,
    mask: tuple[str, ...],
    new: bool,
    folder: Path | None,
) -> None:
    """Draw sessions of RUN and write rating sheets for people: a page for the browser (that of `cbtrun rate`), and a table.

    Sessions bear codes instead of names and stand in random order; words that name a model are masked. What is drawn, the
    codes and the order come from a secret in the key, never from the study. The key is written beside the run, not into the
    folder of the sheets: give the folder away, keep the key. While the key is there, the same codes are written again.

    The key has the chance with which each session was drawn: an analysis that says `corrected_by:` goes by it.

    \b
    cbtrun sheet runs/mine --pairs 12 --raters 2      12 personas under every arm
    cbtrun sheet runs/mine --design pairs --minutes 600
    """
    from cbtrun.humans.rated_run import rated_run
    from cbtrun.humans.rating_settings import PageOptions, settings_of
    from cbtrun.humans.rating_time import Amount, measured_minutes, wanted_units
    from cbtrun.humans.sheet import make_sheet, write_sheet
    from cbtrun.people.draws import Design

    run = rated_run(run_folder, set_name)
    kind = "pairs" if pairs else kind
    design = Design(kind or "sessions", tuple(strata), arms) if kind or arms else None
    minutes_each = measured_minutes(timed) if timed else minutes_each
    wanted = wanted_units(run, Amount(count, pairs, minutes, minutes_each), strata, design, new=new)
    for line in wanted.lines:
        click.echo(line)
    drawn = make_sheet(run, wanted.units, strata, new=new, design=design)
    settings = settings_of(run, drawn, PageOptions(consent, instructions, training, preferences, mask))
    for line in write_sheet(drawn, run, folder or run_folder / "sheets", codes or range(1, raters + 1), settings):
        click.echo(line)


@click.command()
@run_argument
@click.argument(
    "files", metavar="RATINGS...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@ratings_option
@click.option(
    "--column",
    "columns",
    multiple=True,
    callback=pairs,
    metavar="OURS=THEIRS",
    help="A column of the file: session, rater, and item and score (a row an item) or an item's id, total or a subscale (a column each).",
)
@click.option(
    "--item", "items", multiple=True, callback=pairs, metavar="THEIRS=OURS", help="The file's word for an item."
)
@click.option(
    "--not-applicable", multiple=True, metavar="VALUE", help="A value that means: does not apply, e.g. 0 or 99."
)
@click.option("--delimiter", default="", metavar="CHAR", help="What parts the columns of a CSV; found if not given.")
@click.option("--encoding", default="", metavar="NAME", help="Encoding, e.g. windows-1252; UTF-8 and UTF-16 are found.")
@click.option(
    "--records", default="", metavar="PATH", help="Where the records of a JSON document are: sessions[].ratings[]."
)
@click.option("--sheet", default="", metavar="NAME", help="Sheet of an Excel workbook that has several.")
@click.option(
    "--key", type=click.Path(path_type=Path, exists=True), help="Key of the sheets; RUN/sheet-key.csv if there."
)
@click.option(
    "--epsilon",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="What a person costs more, in the test whether a model may stand in: 0.2 for experts, 0.15 skilled, 0.1 crowd.",
)
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), help="Folder for the results; RUN/agreement if not given."
)
def agree(
    run_folder: Path,
    files: tuple[Path, ...],
    set_name: str | None,
    columns: dict[str, str],
    items: dict[str, str],
    not_applicable: tuple[str, ...],
    delimiter: str,
    encoding: str,
    records: str,
    sheet: str,
    key: Path | None,
    epsilon: float,
    folder: Path | None,
) -> None:
    """Compare people's ratings (RATINGS: .csv, .tsv, .xlsx, .json, .jsonl or .parquet) with those that RUN's models gave.

    Human-human and model-human agreement side by side with intervals, and how severe each rater is. Files of the sheets
    are read as they are; totals alone will do, and a file without raters is one person's. Say what other columns are:

    \b
    cbtrun agree runs/mine ratings.csv --column session=session_id --column rater=rater_id \\
        --column item=criterion --not-applicable 0
    """
    from cbtrun.humans.agree import agreement_report, under_labels
    from cbtrun.humans.agree_tables import agreement_lines, write_agreement
    from cbtrun.humans.rated_run import rated_run
    from cbtrun.people.human_ratings import Mapped, read_ratings
    from cbtrun.people.sheet_key import read_key
    from cbtrun.tables.row import Writing

    run = rated_run(run_folder, set_name)
    codes = read_key(key or run_folder / "sheet-key.csv").codes
    mapped = Mapped(columns, items, frozenset(not_applicable), codes)
    sessions = [session.id for session in run.sessions]
    writing = Writing(delimiter=delimiter, encoding=encoding, records=records, sheet=sheet)
    people = read_ratings(files, run.rubric, sessions, mapped, run.name, writing)
    report = agreement_report(run.name, people.ratings, run.scores, run.rubric, run.seed, people.sums, epsilon)
    report = under_labels(report, run.labels)
    for line in agreement_lines(report):
        click.echo(line)
    for path in write_agreement(report, folder or run_folder / "agreement"):
        click.echo(f"wrote {path}")
    if folder is None and (run_folder / "report.html").exists():
        click.echo(f"cbtrun report {run_folder} takes this into the report")
