"""`cbtrun power`: what a study's analyses can find, and how many patients a wanted effect needs, before anything is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cbtrun.cli.power_from_pilot import design_options, pilot_parts, tell_designs
from cbtrun.cli.study_names import study_file

USUAL_EFFECT = 0.5
"""SDs, where no effect is named."""
ONLY_DESIGNS = ("analysis", "half_width", "budget", "fixed", "gpu_hour", "batches")
"""Options that say nothing without a pilot alone."""


def _study_or_none(context: click.Context, parameter: click.Parameter, spec: Path | None) -> Path | None:
    return None if spec is None else study_file(context, parameter, spec)


@click.command()
@click.argument("spec", required=False, type=click.Path(path_type=Path), callback=_study_or_none)
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
    "--effect", type=click.FloatRange(0, min_open=True),
    help="The effect that is wanted, in standard deviations (dz for pairs, d for groups; 0.5 if not given); with --from and no "
    "SPEC in points.",
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
    "--studies", type=click.IntRange(20, 100_000), default=200, show_default=True,
    help="Studies that the power of a mixed model is simulated with.",
)  # fmt: skip
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    help="Also write power.csv (--from: d-study.csv), .svg, .pdf and .png there.",
)
@design_options
def power(
    spec: Path | None,
    sets: tuple[str, ...],
    allow_local_plugins: bool,
    power: float,
    alpha: float,
    effect: float | None,
    points: float | None,
    sd: float | None,
    correlation: float,
    n: int | None,
    studies: int,
    folder: Path | None,
    **designs: Any,
) -> None:
    """Say what the analyses of SPEC can find with its n, and the n that a wanted effect needs, with curves.

    By each analysis's design and for its family's strictest p. Exact where a closed form is, else simulated; runs nothing.

    With --from RUN and no SPEC: what a finished run, taken as a pilot, says of designs: variance components, the cheapest design
    for an effect in points, the best for a budget (docs/d-study.md).
    """
    from cbtrun.analysis.study_power import Simulated, planned_tests
    from cbtrun.before.plan import plan_study
    from cbtrun.cli.shared import load
    from cbtrun.errors import StatisticsError
    from cbtrun.power.planned import PlannedTest
    from cbtrun.power.words import Wanted, power_lines, published_sd

    if spec is None:
        if designs["pilot"] is None:
            raise click.UsageError("which study, or which pilot? cbtrun power SPEC, or cbtrun power --from RUN")
        tell_designs(
            designs, {"effect": effect, "alpha": alpha, "power": power}, folder, allow_local=allow_local_plugins
        )
        return
    if given := [name for name in ONLY_DESIGNS if designs[name]]:
        said = ", ".join("--" + name.replace("_", "-") for name in given)
        raise click.UsageError(f"{said}: of a pilot alone, --from RUN without a study")
    study, registry = load(spec, sets, allow_local_plugins)
    wanted = Wanted(power, effect or USUAL_EFFECT, sd or published_sd(study), correlation, points)
    if points is not None and wanted.sd is None and designs["pilot"] is None:
        raise StatisticsError("--points needs an SD: give --sd or --from, or state one under `compare_with`")
    if not study.analyses:
        raise StatisticsError(f"{spec}: the study declares no analysis: there is nothing to plan for")
    simulated = Simulated(studies, pilot_parts(designs["pilot"], allow_local=allow_local_plugins))
    tests = planned_tests(study, registry, plan_study(study, registry), alpha, n, simulated)
    for line in power_lines(study.name, tests, wanted):
        click.echo(line)
    if folder is not None:
        drawn = [one for one in tests if isinstance(one, PlannedTest)]
        for path in registry.ask("draw_power", tests=drawn, wanted=wanted, folder=folder):
            click.echo(f"wrote {path}")
