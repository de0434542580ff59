"""`cbtrun power`: what a study's analyses can find, and how many patients a wanted effect needs, before anything is spent."""

from __future__ import annotations

from pathlib import Path

import click

from cbtrun.cli.shared import spec_argument


@click.command()
@spec_argument
@click.option("sets", "--set", multiple=True, metavar="PATH=VALUE", help="Override a key of the study, as for `run`.")
@click.option("--allow-local-plugins", is_flag=True, help="Load the Python files that the study lists, as for `run`.")
@click.option(
    "--power", type=click.FloatRange(0.05, 1, min_open=True, max_open=True), default=0.8, show_default=True,
    help="The power that is wanted.",
)  # fmt: skip
@click.option(
    "--alpha", type=click.FloatRange(0, 0.5, min_open=True), default=0.05, show_default=True,
    help="Significance level, before it is corrected for the family.",
)  # fmt: skip
@click.option(
    "--effect", type=click.FloatRange(0, min_open=True), default=0.5, show_default=True,
    help="The effect whose n is asked for, in standard deviations (dz for pairs, d for groups).",
)  # fmt: skip
@click.option("--points", type=click.FloatRange(0, min_open=True), help="The same in points; needs an SD.")
@click.option(
    "--sd", type=click.FloatRange(0, min_open=True),
    help="SD of sessions at one level, in points, from a pilot or a paper; without it the largest that `compare_with` states.",
)  # fmt: skip
@click.option(
    "--correlation", type=click.FloatRange(-1, 1, max_open=True), default=0.5, show_default=True,
    help="Of one patient's scores at two levels; turns SDs of sessions into those of differences.",
)  # fmt: skip
@click.option("--n", type=click.IntRange(2), help="Patients (or sessions) instead of those in the study.")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), help="Also write power.csv, .svg, .pdf and .png there."
)
def power(
    spec: Path,
    sets: tuple[str, ...],
    allow_local_plugins: bool,
    power: float,
    alpha: float,
    effect: float,
    points: float | None,
    sd: float | None,
    correlation: float,
    n: int | None,
    folder: Path | None,
) -> None:
    """Say what the analyses of SPEC can find with its n, and the n that a wanted effect needs, with curves.

    By each analysis's design and for its family's strictest p. Exact where a closed form is, else simulated; runs nothing.
    """
    from cbtrun.analysis.study_power import planned_tests
    from cbtrun.before.plan import plan_study
    from cbtrun.cli.shared import load
    from cbtrun.errors import StatisticsError
    from cbtrun.power.planned import PlannedTest
    from cbtrun.power.words import Wanted, power_lines, published_sd

    study, registry = load(spec, sets, allow_local_plugins)
    wanted = Wanted(power, effect, sd or published_sd(study), correlation, points)
    if points is not None and wanted.sd is None:
        raise StatisticsError("--points needs an SD: give --sd, or state one under `compare_with`")
    if not study.analyses:
        raise StatisticsError(f"{spec}: the study declares no analysis: there is nothing to plan for")
    tests = planned_tests(study, registry, plan_study(study, registry), alpha, n)
    for line in power_lines(study.name, tests, wanted):
        click.echo(line)
    if folder is not None:
        drawn = [one for one in tests if isinstance(one, PlannedTest)]
        for path in registry.ask("draw_power", tests=drawn, wanted=wanted, folder=folder):
            click.echo(f"wrote {path}")
