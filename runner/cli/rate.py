"""`cbtrun rate`: pages for people who rate, served on this machine, and what they entered as tables."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cbtrun.cli.humans import ratings_option
from cbtrun.cli.rating_options import page_options
from cbtrun.cli.run_names import run_argument
from cbtrun.errors import StageError

if TYPE_CHECKING:
    from cbtrun.humans.rated_run import RatedRun
    from cbtrun.humans.sheet import Sheet
    from cbtrun.humans.task import Settings

USUAL_SESSIONS = 20


@click.command()
@run_argument
@ratings_option
@click.option("--sessions", "count", type=click.IntRange(1), help="Sessions to draw; those of the key, else 20.")
@click.option(
    "--by",
    "strata",
    multiple=True,
    metavar="NAME",
    help="Draw evenly over the levels of this factor or label, or `arm`.",
)
@click.option(
    "--raters",
    type=click.IntRange(1, 99),
    default=1,
    show_default=True,
    help="Raters, with the codes R1, R2 ... where --rater gives none.",
)
@page_options
@click.option(
    "--new", is_flag=True, help="Draw again, with new codes; the key that is there is kept under another name."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; a free one if not given.")
@click.option("--open", "open_browser", is_flag=True, help="Open the first page in the browser.")
@click.option("--export", "export_only", is_flag=True, help="Write what was entered as tables into RUN/rated, and end.")
@click.option(
    "--take",
    "records",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Take the record that a page of `cbtrun sheet` saved, and end.",
)
def rate(
    run_folder: Path,
    set_name: str | None,
    count: int | None,
    strata: tuple[str, ...],
    raters: int,
    codes: tuple[str, ...],
    preferences: int,
    consent: Path | None,
    instructions: Path | None,
    training: str,
    mask: tuple[str, ...],
    new: bool,
    port: int,
    open_browser: bool,
    export_only: bool,
    records: tuple[Path, ...],
) -> None:
    """Let people rate sessions of RUN in a browser on this machine, each under a code of their own.

    Transcript and items stand beside each other; everything can be done with keys. Each change is on the disk before the page
    calls it saved, in RUN/rated, by the rater's code. Raters see neither arms nor ids: sessions, codes and orders come from
    the secret in RUN/sheet-key.csv, as with `cbtrun sheet`. Listens on 127.0.0.1 alone. Ctrl-C ends it; the same command goes on.

    \b
    cbtrun rate runs/mine --rater ada --rater ben --consent consent.txt
    cbtrun rate runs/mine --export
    cbtrun agree runs/mine runs/mine/rated/ratings.csv
    """
    from cbtrun.humans.rated_export import take_record, write_export
    from cbtrun.humans.rated_run import rated_run
    from cbtrun.humans.rating_settings import PageOptions, settings_of
    from cbtrun.humans.sheet import KEY, make_sheet
    from cbtrun.people.sheet_key import read_key

    run = rated_run(run_folder, set_name)
    kept = len(read_key(run.folder / KEY).codes)
    if (export_only or records) and not kept:
        raise StageError(f"{run.folder}: there is no sheet of this run; `cbtrun rate` or `cbtrun sheet` draws one")
    sheet = make_sheet(run, count or (1 if kept and not new else USUAL_SESSIONS), strata, new=new)
    settings = settings_of(run, sheet, PageOptions(consent, instructions, training, preferences, mask))
    for record in records:
        click.echo(take_record(run.folder, sheet, run.rubric, settings, record))
    if export_only:
        for line in write_export(run.folder, sheet, run.rubric, settings):
            click.echo(line)
    if not (export_only or records):
        _serve(run, sheet, settings, codes or tuple(f"R{at}" for at in range(1, raters + 1)), port, open_browser)


def _serve(
    run: RatedRun, sheet: Sheet, settings: Settings, codes: tuple[str, ...], port: int, open_browser: bool
) -> None:
    from cbtrun.humans.entries import FOLDER
    from cbtrun.humans.rate_server import ADDRESS, RateServer, held_folder, open_desks
    from cbtrun.humans.sheet import keep_keys

    with ExitStack() as held:
        held.enter_context(held_folder(run.folder / FOLDER))
        keep_keys(sheet, run, settings)
        desks = open_desks(run, sheet, settings, codes)
        server = held.enter_context(RateServer(desks, port))
        addresses = [f"http://{ADDRESS}:{server.server_port}{desk.path}" for desk in desks]
        for desk, address in zip(desks, addresses, strict=True):
            click.echo(f"{desk.task.rater}: {address}")
        if settings.real_people:
            click.echo(
                "The pages hold words of real people: names are masked where they were found (--mask WORD takes more)."
            )
        click.echo(
            f"{len(sheet.drawn)} sessions; entries go to {run.folder / FOLDER}. Ctrl-C ends it; then: cbtrun rate {run.folder} --export"
        )
        if open_browser:
            import webbrowser

            webbrowser.open(addresses[0])
        with suppress(KeyboardInterrupt):
            server.serve_forever()
