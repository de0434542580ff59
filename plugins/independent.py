"""Two independent groups of sessions: difference of means, AUC, Hedges' g; Mann-Whitney and Welch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.analysis_block import (
    block_schema,
    effects_and_notes,
    missing_level_notes,
    outcome_options,
    outcome_tables,
    statistics_files,
    stored,
    tests_and_notes,
    tests_option,
    two_levels_options,
)
from cbtrun.analysis_table import AnalysisTable, are_averaged, group_of, independent_units, kept_levels, rows_at
from cbtrun.errors import StatisticsError
from cbtrun.hookspecs import hookimpl
from cbtrun.records import Comparison
from cbtrun.statistics import effect_sizes, two_groups
from cbtrun.statistics.wording import difference_sentence

if TYPE_CHECKING:
    from cbtrun.context import StageContext
    from cbtrun.records import Json

TESTS = {"mann-whitney": two_groups.mann_whitney_test, "welch": two_groups.welch_test}


def fingerprint_files() -> list[Path]:
    """Files besides this one that decide the results."""
    return statistics_files()


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: independent` under `analysis`."""
    if stage != "analysis":
        return None
    tests = tests_option(list(TESTS), "Two-sided tests of no difference.")
    return block_schema(["outcome", "factor", "levels"], {**outcome_options(), **two_levels_options(), "tests": tests})


@hookimpl
def analyse(context: StageContext) -> list[Comparison]:
    """One comparison of the two levels for the declared outcome and, unless switched off, for each item."""
    return [compare_independent(context.name, context.options, table) for table in outcome_tables(context)]


def compare_independent(name: str, options: Mapping[str, Any], table: AnalysisTable) -> Comparison:
    """First level against second. Raises StatisticsError when personas stand on both sides."""
    factor, levels = options["factor"], tuple(options["levels"])
    rows = [rows_at(table, factor, level) for level in levels]
    units = [independent_units(at_level) for at_level in rows]
    _refuse_shared_personas(factor, rows)
    first, second = ([unit.value for unit in of_level] for of_level in units)
    difference = two_groups.mean_difference(first, second)
    tests, test_notes = tests_and_notes([TESTS[test](first, second) for test in options.get("tests", list(TESTS))])
    effects, effect_notes = effects_and_notes([effect_sizes.auc(first, second), effect_sizes.hedges_g(first, second)])
    averaged = are_averaged([*units[0], *units[1]])
    counts = f"n = {len(first)} and {len(second)}{' personas' if averaged else ''}"
    notes = [*missing_level_notes(factor, levels, rows), *filter(None, [difference.note]), *test_notes, *effect_notes]
    return stored(
        Comparison(
            analysis=name,
            design="independent",
            outcome=table.outcome,
            factor=factor,
            levels=levels,
            groups=(group_of(levels[0], rows[0], first), group_of(levels[1], rows[1], second)),
            n=len(first) + len(second),
            unit_of_analysis="persona (mean of its sessions)" if averaged else "session",
            estimate=difference.value,
            interval=difference.interval,
            effects=effects,
            tests=tests,
            notes=tuple(notes),
            sentence=difference_sentence(levels, difference.value, difference.interval, counts, tests, effects),
            where=kept_levels(options.get("where")),
        )
    )


def _refuse_shared_personas(factor: str, rows: list[Any]) -> None:
    shared = set.intersection(*({row.persona for row in at_level if row.persona is not None} for at_level in rows))
    if shared:
        raise StatisticsError(
            f"`independent` does not fit: {len(shared)} persona(s) have sessions at both levels of '{factor}', so the "
            "groups are not independent; use `using: paired` with `pair_by: persona`"
        )
