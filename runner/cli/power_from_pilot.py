"""`cbtrun power --from RUN`: what a pilot says of designs, with the options that only it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cbtrun.cli.run_names import RunName, runs_of_option

OPTIONS = (
    click.option(
        "--from",
        "pilot",
        type=RunName(),
        metavar="RUN",
        help="A finished run as a pilot: its variance components, and the designs that are worth their price. With SPEC, its "
        "components are those that SPEC's mixed models are simulated with.",
    ),
    runs_of_option,
    click.option("--analysis", metavar="NAME", help="--from: whose contrast; else the run's first of named levels."),
    click.option(
        "--half-width",
        type=click.FloatRange(0, min_open=True),
        help="--from: half of the interval that is wanted, in points, in place of --effect.",
    ),
    click.option("--budget", type=click.FloatRange(0, min_open=True), help="--from: US dollars to spend."),
    click.option(
        "--fixed",
        multiple=True,
        type=click.Choice(["rater", "wording", "seed"]),
        help="--from: a facet whose levels in the pilot are all that the claim is about.",
    ),
    click.option(
        "--most-personas",
        type=click.IntRange(3, 2000),
        default=2000,
        show_default=True,
        help="--from: personas of a design at most.",
    ),
    click.option(
        "--gpu-hour",
        type=click.FloatRange(0, min_open=True),
        metavar="USD",
        help="--from: price of an hour of the GPU.",
    ),
    click.option(
        "--machine",
        type=click.Choice(["H100", "A40", "CPU"]),
        default="H100",
        show_default=True,
        help="--from: whose hours are counted.",
    ),
    click.option(
        "--batches", is_flag=True, help="--from: ratings at the price of batches where their vendor has them."
    ),
)


def design_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a plan from a pilot, on a command that takes them as keywords."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def pilot_parts(pilot: Path | None, *, allow_local: bool) -> dict[str, float]:
    """Component -> squared points, of a pilot's first contrast; empty without a pilot."""
    from cbtrun.analysis.pilot_components import pilot_components
    from cbtrun.before.pilot_run import pilot_of
    from cbtrun.contract.digests import derive_seed

    if pilot is None:
        return {}
    found = pilot_of(pilot, None, allow_local=allow_local)
    made = pilot_components(found.layout, derive_seed(found.study.seed, "d-study"))
    return {one.name: max(0.0, one.variance) for one in made.components}


def tell_designs(options: dict[str, Any], wanted: dict[str, Any], folder: Path | None, *, allow_local: bool) -> None:
    """Print what a pilot says of designs; write table and figure where a folder is named.

    options: those of `design_options`. wanted: effect in points, alpha, power.
    """
    from cbtrun.before.d_study import Aim, d_study
    from cbtrun.before.d_study_words import d_study_lines
    from cbtrun.before.pilot_run import pilot_of
    from cbtrun.before.unit_costs import Bought
    from cbtrun.errors import StatisticsError
    from cbtrun.power.designs import Precision

    if wanted["effect"] is not None and options["half_width"] is not None:
        raise StatisticsError("--effect or --half-width: one of them")
    pilot = pilot_of(options["pilot"], options["analysis"], allow_local=allow_local)
    asked = Aim(
        wanted["effect"],
        options["half_width"],
        options["budget"],
        tuple(options["fixed"]),
        options["most_personas"],
        Precision(wanted["alpha"], wanted["power"]),
    )
    found = d_study(pilot, asked, Bought(options["gpu_hour"], options["machine"], options["batches"]))
    for line in d_study_lines(found):
        click.echo(line)
    if folder is not None:
        for path in pilot.registry.ask("draw_frontier", frontier=found.frontier, folder=folder):
            click.echo(f"wrote {path}")
