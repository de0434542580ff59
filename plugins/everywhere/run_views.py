"""What people look at beside a report: power curves, two runs side by side, runs in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.plugin import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from http.server import HTTPServer
    from pathlib import Path

    from cbtrun.plugin import PlannedTest, Wanted


@hookimpl
def draw_power(tests: Sequence[PlannedTest], wanted: Wanted, folder: Path) -> list[Path]:
    """power.csv with both curves of every test, and the figure as SVG, PDF and PNG."""
    from cbtrun.plugins.report.power_curve import write_curves

    return write_curves(tests, wanted, folder)


@hookimpl
def compare_runs(first: Path, second: Path) -> str:
    """What differs in the study, in the environment and in the results; shared personas are tested in pairs."""
    from cbtrun.plugins.report import run_comparison

    return run_comparison.comparison_text(run_comparison.compare_runs(first, second))


@hookimpl
def view_runs(runs: Sequence[Path], port: int) -> HTTPServer:
    """Their reports, arms across runs and differences, from this machine alone."""
    from cbtrun.plugins.report.run_server import make_server

    return make_server(runs, port)
