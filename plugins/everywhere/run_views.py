"""What people look at beside a report: power curves, designs and their prices, two runs side by side, runs in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.plugin import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from http.server import HTTPServer
    from pathlib import Path

    from cbtrun.plugin import Frontier, PlannedTest, Wanted


@hookimpl
def draw_power(tests: Sequence[PlannedTest], wanted: Wanted, folder: Path) -> list[Path]:
    """power.csv with both curves of every test, and the figure as SVG, PDF and PNG."""
    from cbtrun.plugins.report.power_curve import write_curves

    return write_curves(tests, wanted, folder)


@hookimpl
def draw_frontier(frontier: Frontier, folder: Path) -> list[Path]:
    """d-study.csv with every design that is told, and the figure as SVG, PDF and PNG."""
    from cbtrun.plugins.report.frontier_curve import write_frontier

    return write_frontier(frontier, folder)


@hookimpl
def compare_runs(first: Path, second: Path, form: str) -> str:
    """What differs in the results, in the study and in the environment; shared personas are tested in pairs."""
    from cbtrun.plugins.report import comparison_words, run_comparison

    found = run_comparison.compare_runs(first, second)
    return comparison_words.comparison_json(found) if form == "json" else comparison_words.comparison_text(found)


@hookimpl
def view_runs(runs: Sequence[Path], port: int) -> HTTPServer:
    """Their reports, arms across runs and differences, from this machine alone."""
    from cbtrun.plugins.report.run_server import make_server

    return make_server(runs, port)
