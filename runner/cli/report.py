"""`cbtrun report`: the report of a run again, whole or in some formats, from the run's files alone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from cbtrun.cli.run_names import maybe_run_argument, only_run, runs_of_option

TABLES = {"csv": "csv", "md": "markdown", "latex": "latex"}
FIGURES = ("svg", "pdf", "png")


@click.command()
@maybe_run_argument
@runs_of_option
@click.option("--allow-local-plugins", is_flag=True, help="Load the Python files that the study lists, as for `run`.")
@click.option(
    "formats", "--format", multiple=True, type=click.Choice(["html", *TABLES, *FIGURES]),
    help="Write this alone: the page, tables, or figures. May be given several times; without it all that the study asks for.",
)  # fmt: skip
@click.option("--card", is_flag=True, help="Write card.png and card.svg alone: one picture for a slide.")
@click.pass_context
def report(
    ctx: click.Context,
    run_folder: Path | None,
    runs: Path,
    allow_local_plugins: bool,
    formats: tuple[str, ...],
    card: bool,
) -> int:
    """Make the report of a finished run again, from its files alone. Nothing else in RUN is touched.

    RUN is a run folder, the name of a study, or its file; it is not needed where there is one run.
    """
    from cbtrun.cli.run_end import say_outcome
    from cbtrun.cli.shared import registry_with
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.pipeline import remake_report
    from cbtrun.run.progress import progress_for
    from cbtrun.run.study_lock import local_plugins_of, study_of_run

    folder = RunFolder(run_folder or only_run(ctx))
    watching = progress_for()
    registry = registry_with(local_plugins_of(folder), allow_local_plugins, watching)
    study = study_of_run(folder, registry)
    with closing(watching):
        outcome, written = remake_report(study, registry, folder, _options(formats, card=card))
    if formats or card:
        for path in written:
            click.echo(f"wrote {path}")
        return 0
    return say_outcome(outcome)


def _options(formats: tuple[str, ...], *, card: bool) -> dict[str, object]:
    """Options of the report that make it write some formats alone; none where everything is wanted."""
    if not formats and not card:
        return {}
    tables = [name for short, name in TABLES.items() if short in formats]
    figures = [one for one in FIGURES if one in formats]
    return {"page": "html" in formats, "tables": tables, "figures": figures, **({"card": True} if card else {})}
