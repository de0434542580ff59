"""Whether two levels are alike: two one-sided tests against a margin in points, and the 90 % interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    AnalysisTable,
    Comparison,
    analyse_block,
    are_averaged,
    block_schema,
    common_fields,
    compared_option,
    compared_problems,
    count_personas,
    counts_text,
    effect_sizes,
    equivalence_of_groups,
    equivalence_of_pairs,
    group_of,
    hookimpl,
    independent_units,
    interval_text,
    level_names,
    missing_level_notes,
    pair_by_persona,
    points,
    rows_at,
    shared_personas,
    tested_text,
    two_levels_options,
    worst_case_of_groups,
    worst_case_of_pairs,
)
from cbtrun.plugins.analyses.independent import refuse_shared_personas

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, PlannedTest, PowerAt, PowerContext, Problem, StageContext


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: equivalence` under `analysis`."""
    if stage != "analysis":
        return None
    margin = {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "Largest difference, in points of the outcome, that counts as none. Declare it before the data exist.",
    }
    items = {
        "items": {"type": "boolean", "default": False, "description": "Whether each item is tested too, same margin."}
    }
    return block_schema(
        ["factor", "levels", "margin"], {**two_levels_options(), **compared_option(), "margin": margin, **items}
    )


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Refuses a comparison that the sessions cannot give, and filters that name nothing."""
    return compared_problems(context)


@hookimpl
def plan_power(context: PowerContext) -> list[PlannedTest]:
    """Two one-sided tests of levels that are equal."""
    from cbtrun.plugin import GROUPS, PAIRS, Kind, equal_groups, planned_test, power_of_equivalence

    told: tuple[str, ...] = ("the smallest margin, in SDs, within which two equal levels are shown to be alike",)
    if context.within:
        kind, units, cost = Kind("", "tost", "margin", PAIRS, context.personas), 1.0, 1
    else:
        n, equal = equal_groups(context)
        kind, units, cost, told = Kind("", "tost", "margin", GROUPS, n), 0.5, 2, (*told, *equal)

    def power(level: float) -> PowerAt:
        return lambda n, margin: power_of_equivalence(n * units, cost * (n - 1), margin, level)

    return [planned_test(context, kind, power, more=told)]


@hookimpl
def sentence(comparison: Comparison) -> str:
    """Whether two levels are equivalent within the margin."""
    first, second = level_names(comparison)
    if comparison.estimate is None or not comparison.tests or comparison.margin is None:
        return f"Whether `{first}` and `{second}` are equivalent could not be tested ({counts_text(comparison)})."
    verdict = "are equivalent" if is_equivalent(comparison) else "were not shown to be equivalent"
    within = (
        interval_text(comparison.interval, comparison.estimate) if comparison.interval is not None else "no interval"
    )
    return (
        f"`{first}` and `{second}` {verdict} within {points(comparison.margin)} points (difference "
        f"{points(comparison.estimate)}, {within}; {counts_text(comparison)}; {tested_text(comparison)})."
    )


def is_equivalent(comparison: Comparison) -> bool:
    """Whether both one-sided tests refuse their margin, adjusted where their family is."""
    test = comparison.tests[0]
    return not comparison.held_back and (test.p if test.p_adjusted is None else test.p_adjusted) < 0.05


@hookimpl
def analyse(context: StageContext) -> list[Comparison]:
    """One equivalence test for each outcome."""
    return analyse_block(
        context, lambda table, _: [compare_with_margin(context.name, context.options, table)], sentence
    )


def compare_with_margin(name: str, options: Mapping[str, Any], table: AnalysisTable) -> Comparison:
    """Two one-sided tests of the first level against the second."""
    factor, levels, margin = options["factor"], tuple(options["levels"]), float(options["margin"])
    rows = [rows_at(table, factor, level) for level in levels]
    within = options.get("compared", "within-personas") == "within-personas"
    if within:
        pairing = pair_by_persona(*rows)
        values = [[pair.first for pair in pairing.pairs], [pair.second for pair in pairing.pairs]]
        differences = [pair.difference for pair in pairing.pairs]
        found, size = equivalence_of_pairs(differences, margin), effect_sizes.dz(differences)
        unused, unit, n = pairing.unused, "pair of one persona", len(differences)
    else:
        refuse_shared_personas(factor, rows)
        units = [independent_units(at_level) for at_level in rows]
        values = [[unit.value for unit in of_level] for of_level in units]
        found, size = equivalence_of_groups(values[0], values[1], margin), effect_sizes.hedges_g(values[0], values[1])
        averaged = are_averaged([*units[0], *units[1]])
        unused, unit, n = {}, "persona (mean of its sessions)" if averaged else "session", sum(map(len, values))
    notes = [*missing_level_notes(factor, levels, rows), *filter(None, [found.note, size.note])]
    return Comparison(
        **common_fields(name, "equivalence", table),
        factor=factor,
        levels=levels,
        groups=tuple(group_of(*group, unused) for group in zip(levels, rows, values, strict=True)),
        n=n,
        possible=shared_personas(rows) if within else None,
        unit_of_analysis=unit,
        estimate=found.estimate,
        interval=found.interval,
        effects=(size.effect,) if size.effect else (),
        tests=(found.test,) if found.test else (),
        notes=tuple(notes),
        personas=count_personas(rows),
        worst_case=worst_case_of_pairs(*rows) if within else worst_case_of_groups(*rows),
        margin=margin,
    )
