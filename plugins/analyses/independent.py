"""Two independent groups of sessions: difference of means, Hedges' g, AUC; Welch and Mann-Whitney."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    AnalysisTable,
    Comparison,
    Row,
    StatisticsError,
    analyse_block,
    are_averaged,
    are_paired,
    assumptions,
    block_schema,
    bootstrap,
    common_fields,
    corrected_option,
    count_personas,
    effect_sizes,
    effects_and_notes,
    fit_problems,
    group_of,
    hookimpl,
    independent_noise,
    independent_units,
    missing_level_notes,
    rows_at,
    tests_and_notes,
    tests_option,
    two_groups,
    two_levels_options,
    worst_case_of_groups,
)

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, PlannedTest, PowerContext, Problem, StageContext

TESTS = {"welch": two_groups.welch_test, "mann-whitney": two_groups.mann_whitney_test}


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: independent` under `analysis`."""
    if stage != "analysis":
        return None
    tests = tests_option(list(TESTS), "Two-sided tests of no difference.")
    return block_schema(["factor", "levels"], {**corrected_option(), **two_levels_options(), "tests": tests})


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Refuses arms that share their personas, and filters that name nothing."""
    return fit_problems(context, shared_personas=False, instead="`using: paired` with `pair_by: persona`")


@hookimpl
def plan_power(context: PowerContext) -> list[PlannedTest]:
    """Welch's test of two equal groups, or Mann-Whitney where the block names it first."""
    from cbtrun.plugin import GROUPS, Kind, equal_groups, mann_whitney_power, planned_test, power_between_groups

    test = (context.options.get("tests") or ["welch"])[0]
    power = power_between_groups if test == "welch" else (lambda level: mann_whitney_power(level, context.seed))
    n, told = equal_groups(context)
    return [planned_test(context, Kind("", test, "d", GROUPS, n), power, more=told)]


@hookimpl
def analyse(context: StageContext) -> list[Comparison]:
    """One comparison of the two levels for the declared outcome and, unless switched off, for each item."""
    name, options = context.name, context.options
    return analyse_block(context, lambda table, seed: [compare_independent(name, options, table, seed)])


def compare_independent(name: str, options: Mapping[str, Any], table: AnalysisTable, seed: int) -> Comparison:
    """First level against second. Raises StatisticsError when personas stand on both sides."""
    factor, levels = options["factor"], tuple(options["levels"])
    rows = [rows_at(table, factor, level) for level in levels]
    refuse_shared_personas(factor, rows)
    units = [independent_units(at_level) for at_level in rows]
    first, second = ([unit.value for unit in of_level] for of_level in units)
    difference = two_groups.mean_difference(first, second)
    tests, test_notes = tests_and_notes([TESTS[test](first, second) for test in options.get("tests", list(TESTS))])
    effects, effect_notes = effects_and_notes([effect_sizes.hedges_g(first, second), effect_sizes.auc(first, second)])
    boot = bootstrap.bootstrap_difference(first, second, seed)
    noise = independent_noise(units, rows, effects)
    notes = [*missing_level_notes(factor, levels, rows), *filter(None, [difference.note, boot.note])]
    return Comparison(
        **common_fields(name, "independent", table),
        factor=factor,
        levels=levels,
        groups=(group_of(levels[0], rows[0], first), group_of(levels[1], rows[1], second)),
        n=len(first) + len(second),
        unit_of_analysis="persona (mean of its sessions)" if are_averaged([*units[0], *units[1]]) else "session",
        estimate=difference.value,
        interval=difference.interval,
        effects=(*effects, *noise.effects),
        tests=tests,
        checks=(*_checks(first, second, table), *noise.words),
        notes=(*notes, *test_notes, *effect_notes),
        personas=count_personas(rows),
        bootstrap=boot.interval,
        worst_case=worst_case_of_groups(*rows),
        variance=noise.variance,
    )


def _checks(first: Sequence[float], second: Sequence[float], table: AnalysisTable) -> list[str]:
    several = min(len(first), len(second)) >= bootstrap.FEWEST
    instead = "Mann-Whitney, AUC and the bootstrap interval" if several else "Mann-Whitney and AUC"
    words = [
        assumptions.normality_words("the first group", first, instead),
        assumptions.normality_words("the second group", second, instead),
        assumptions.variance_words([first, second]),
        assumptions.ceiling_words([*first, *second], table.low, table.high),
    ]
    return [one for one in words if one is not None]


def refuse_shared_personas(factor: str, rows: Sequence[Sequence[Row]]) -> None:
    """Raises StatisticsError when the groups are not independent."""
    if are_paired(rows):
        raise StatisticsError(
            f"`independent` does not fit: personas have sessions at more than one level of '{factor}', so the groups "
            "are not independent; use `using: paired` with `pair_by: persona`"
        )
