"""What several commands share: their options, how they load a study, and how they say how a run ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.run.options import Outcome
    from cbtrun.study.spec import Study

MOST_UNSCORED = 20
"""Parts without a score that are told on the terminal."""
MOST_DEVIATIONS = 10
"""From a registration that are told on the terminal; the report has all."""
spec_argument = click.argument("spec", type=click.Path(path_type=Path))
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


def pairs(_: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """`ours=theirs` as a mapping."""
    found = {}
    for pair in given:
        left, sign, right = pair.partition("=")
        if not sign or not left or not right:
            raise click.BadParameter(f"'{pair}' is not of the form A=B", param=option)
        found[left] = right
    return found


def load(spec: Path, sets: tuple[str, ...], allow_local: bool, watching: object = None) -> tuple[Study, Registry]:
    """The checked study and the plugins it may use."""
    from cbtrun.study.checks import check_study
    from cbtrun.study.earlier_forms import told_words
    from cbtrun.study.load import local_plugins
    from cbtrun.study.overrides import read_study

    written = read_study(spec, sets)  # once a command: plugins and checks read the same
    for line in told_words(written.earlier):
        click.echo(f"warning: {line}", err=True)
    registry = registry_with(local_plugins(written), allow_local, watching)
    return check_study(written, registry), registry


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


def say_outcome(outcome: Outcome, study: Study | None = None) -> int:
    """Print how a run ended, with what the study opens with. Returns the exit code."""
    from cbtrun.results.failure_groups import failure_groups

    for group in failure_groups(outcome.failures):
        click.echo(f"failed: {group}", err=True)
    if outcome.failures:
        where = f" Each stands in {outcome.failure_list}." if outcome.failure_list else ""
        click.echo(f"{len(outcome.failures)} failed; the same command tries just those again.{where}", err=True)
    _say_gaps(outcome)
    for stage, why in outcome.kept.items():
        click.echo(f"{stage} {why}; it is kept as it is: --redo {stage} does it again", err=True)
    for stage in outcome.changed:
        click.echo(f"{stage}: what it had written was changed since; it was made again", err=True)
    if not outcome.failures and not outcome.done and not outcome.changed:
        click.echo("Nothing to do: every stage is up to date.")
    if outcome.promise is not None:
        click.echo(f"registration: {outcome.promise.words.replace('listed below', 'all in the report')}")
        for deviation in outcome.promise.deviations[:MOST_DEVIATIONS]:
            click.echo(f"  {deviation}", err=True)
    for sentence in outcome.drifts:
        click.echo(f"warning: {sentence}", err=True)
    if study is not None and (finding := finding_of(outcome, study)):
        click.echo(f"finding: {finding}")
    if outcome.folder.results.exists():
        click.echo(f"results: {outcome.folder.results}")
    if outcome.report is not None:
        click.echo(f"report:  {outcome.report}")
    return 3 if outcome.failures or outcome.unscored else 0


def _say_gaps(outcome: Outcome) -> None:
    """Print what has no score, and whom no rater was asked about."""
    for part in outcome.unscored[:MOST_UNSCORED]:
        click.echo(f"nothing scored: {part}", err=True)
    if more := outcome.unscored[MOST_UNSCORED:]:
        click.echo(f"nothing scored: {len(more)} more; see the report", err=True)
    for line in outcome.left_out:
        click.echo(f"left unscored: {line}", err=True)


def finding_of(outcome: Outcome, study: Study) -> str:
    """The sentence that the report opens with; empty where nothing was compared, and in a rehearsal."""
    from cbtrun.analysis.headline import headline_of
    from cbtrun.results.records import results_in

    if not outcome.folder.results.exists() or study.stand_ins:  # a rehearsal finds nothing
        return ""
    results = results_in(outcome.folder.results)
    found = headline_of(results.comparisons, study, str(study.report.options.get("headline", "")))
    return found.sentence if found is not None else ""
