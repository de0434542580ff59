"""Two levels within the same personas: mean difference, dz, rank-biserial; paired t and Wilcoxon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    AnalysisTable,
    Comparison,
    Pairing,
    analyse_block,
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
    missing_level_notes,
    pair_by_persona,
    paired,
    paired_noise,
    rows_at,
    shared_personas,
    tests_and_notes,
    tests_option,
    two_levels_options,
    worst_case_of_pairs,
)

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, PlannedTest, PowerContext, Problem, StageContext

TESTS = {"t": paired.paired_t_test, "wilcoxon": paired.wilcoxon_test}


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: paired` under `analysis`."""
    if stage != "analysis":
        return None
    pair_by = {"enum": ["persona"], "default": "persona", "description": "What makes a pair: the same persona."}
    tests = tests_option(list(TESTS), "Two-sided tests of a mean difference of zero.")
    return block_schema(
        ["factor", "levels"], {**corrected_option(), **two_levels_options(), "pair_by": pair_by, "tests": tests}
    )


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Refuses sessions that have no persona to pair by, and filters that name nothing."""
    return fit_problems(context, shared_personas=True, instead="`using: independent`")


@hookimpl
def plan_power(context: PowerContext) -> list[PlannedTest]:
    """A t test of pairs, or Wilcoxon's where the block tests by ranks."""
    from cbtrun.plugin import PAIRS, Kind, planned_test, power_in_pairs, wilcoxon_power

    test = (context.options.get("tests") or ["t"])[0]
    power = (lambda level: wilcoxon_power(level, context.seed)) if test == "wilcoxon" else power_in_pairs
    return [planned_test(context, Kind("", test, "dz", PAIRS, context.personas), power)]


@hookimpl
def analyse(context: StageContext) -> list[Comparison]:
    """One comparison of the two levels for the declared outcome and, unless switched off, for each item."""
    return analyse_block(context, lambda table, seed: [compare_pairs(context.name, context.options, table, seed)])


def compare_pairs(name: str, options: Mapping[str, Any], table: AnalysisTable, seed: int) -> Comparison:
    """First level against second within personas; the mean over a persona's repeats stands for it."""
    factor, levels = options["factor"], tuple(options["levels"])
    rows = [rows_at(table, factor, level) for level in levels]
    pairing = pair_by_persona(*rows)
    differences = [pair.difference for pair in pairing.pairs]
    mean = paired.mean_of_differences(differences)
    tests, test_notes = tests_and_notes([TESTS[test](differences) for test in options.get("tests", list(TESTS))])
    sizes = [effect_sizes.dz(differences), effect_sizes.rank_biserial(differences)]
    effects, effect_notes = effects_and_notes(sizes)
    boot = bootstrap.bootstrap_mean(differences, seed)
    noise = paired_noise(pairing, rows, effects)
    used = ([pair.first for pair in pairing.pairs], [pair.second for pair in pairing.pairs])
    notes = [*missing_level_notes(factor, levels, rows), *_pairing_notes(pairing)]
    return Comparison(
        **common_fields(name, "paired", table),
        factor=factor,
        levels=levels,
        groups=tuple(
            group_of(level, at, values, pairing.unused) for level, at, values in zip(levels, rows, used, strict=True)
        ),
        n=len(differences),
        possible=shared_personas(rows),
        unit_of_analysis="pair of one persona",
        estimate=mean.value,
        interval=mean.interval,
        effects=(*effects, *noise.effects),
        tests=tests,
        checks=(*_checks(differences, [*used[0], *used[1]], table), *noise.words),
        notes=(*notes, *filter(None, [mean.note, boot.note]), *test_notes, *effect_notes),
        personas=count_personas(rows),
        bootstrap=boot.interval,
        worst_case=worst_case_of_pairs(*rows),
        variance=noise.variance,
    )


def _checks(differences: Sequence[float], values: Sequence[float], table: AnalysisTable) -> list[str]:
    instead = "Wilcoxon and the bootstrap interval" if len(differences) >= bootstrap.FEWEST else "Wilcoxon"
    words = [
        assumptions.normality_words("the differences", differences, instead),
        assumptions.ceiling_words(values, table.low, table.high),
    ]
    return [one for one in words if one is not None]


def _pairing_notes(pairing: Pairing) -> Sequence[str]:
    if not pairing.unpaired:
        return []
    return [f"personas with a value at one level only, not used: {', '.join(pairing.unpaired)}"]
