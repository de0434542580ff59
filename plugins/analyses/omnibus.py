"""Three or more levels: one test of all, then every pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    AnalysisTable,
    Comparison,
    PairOfLevels,
    Sized,
    Tested,
    all_levels_sentence,
    analyse_block,
    are_averaged,
    assumptions,
    block_schema,
    common_fields,
    compared_option,
    compared_problems,
    complete_blocks,
    count_personas,
    effects_and_notes,
    group_of,
    hookimpl,
    independent_units,
    missing_level_notes,
    omnibus,
    p_value,
    pairs_between,
    pairs_within,
    rows_at,
    several_levels_options,
    shared_personas,
    tests_and_notes,
    two_levels_sentence,
)
from cbtrun.plugins.analyses.independent import refuse_shared_personas

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, PlannedTest, PowerAt, PowerContext, Problem, StageContext

BETWEEN = {"welch-anova": omnibus.welch_anova, "anova": omnibus.anova, "kruskal-wallis": omnibus.kruskal_wallis}
WITHIN = {"rm-anova": omnibus.repeated_measures_anova, "friedman": omnibus.friedman}
SIMULTANEOUS = ("tukey", "games-howell")
"""Corrections whose intervals hold for all pairs together."""
PAIRWISE = {"between": ("games-howell", "tukey", "dunn"), "within-personas": ("paired-t", "nemenyi")}


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: omnibus` under `analysis`."""
    if stage != "analysis":
        return None
    tests = {
        "type": "array",
        "items": {"enum": [*WITHIN, *BETWEEN]},
        "minItems": 1,
        "uniqueItems": True,
        "description": "Tests of all levels at once. Within personas: rm-anova, friedman (both by default); between: "
        "welch-anova, anova, kruskal-wallis (by default the first and the last). The sentence cites the first.",
    }
    pairwise = {
        "enum": ["none", "paired-t", "nemenyi", "games-howell", "tukey", "dunn"],
        "description": "How pairs of levels are compared. Within personas: paired-t (default), nemenyi; between: "
        "games-howell (default), tukey, dunn. Tukey, Games-Howell and Nemenyi correct over the pairs themselves.",
    }
    return block_schema(
        ["factor", "levels"], {**several_levels_options(3), **compared_option(), "tests": tests, "pairwise": pairwise}
    )


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Refuses tests that do not fit how levels are compared, and says which do."""
    compared = context.options.get("compared", "within-personas")
    fitting = WITHIN if compared == "within-personas" else BETWEEN
    problems = compared_problems(context)
    for at, test in enumerate(context.options.get("tests") or ()):
        if test not in fitting:
            what = f"`{test}` does not fit levels that are compared `{compared}`; use {' or '.join(fitting)}"
            problems.append(context.problem(what, "tests", at))
    pairwise = context.options.get("pairwise")
    if pairwise not in (None, "none", *PAIRWISE[compared]):
        what = f"`{pairwise}` does not fit levels that are compared `{compared}`; use {' or '.join(PAIRWISE[compared])}"
        problems.append(context.problem(what, "pairwise"))
    return problems


@hookimpl
def plan_power(context: PowerContext) -> list[PlannedTest]:
    """The F test of all levels and, where they are made, the tests of each pair."""
    from cbtrun.plugin import (
        GROUPS,
        PAIRS,
        PEOPLE,
        Kind,
        equal_groups,
        planned_test,
        power_between_groups,
        power_in_pairs,
        power_of_f,
    )

    levels = len(context.options["levels"])
    told: tuple[str, ...] = ("f: SD of the levels’ means over the SD within a level",)
    if context.within:
        told = ("f: SD of the levels’ means over the SD of what is left within personas; sphericity is taken to hold",)
        whole = Kind("all levels", "rm-anova", "f", PEOPLE, context.personas)
        each = Kind("each pair", "paired t", "dz", PAIRS, context.personas)
    else:
        n, equal = equal_groups(context, levels)
        told = (*told, *equal)
        whole, each = Kind("all levels", "anova", "f", GROUPS, n), Kind("each pair", "t", "d", GROUPS, n)

    def power(level: float) -> PowerAt:
        def power_at(n: int, f: float) -> float:
            error = (levels - 1) * (n - 1) if context.within else levels * (n - 1)
            return power_of_f((levels - 1, error), n * levels * f**2, level)

        return power_at

    found = [planned_test(context, whole, power, more=told)]
    if context.options.get("pairwise") != "none":
        of_pair = power_in_pairs if context.within else power_between_groups
        found.append(planned_test(context, each, of_pair, comparisons=levels * (levels - 1) // 2))
    return found


@hookimpl
def sentence(comparison: Comparison) -> str:
    """Whether all levels differ; of each pair by how much."""
    return all_levels_sentence(comparison) if comparison.design == "omnibus" else two_levels_sentence(comparison)


@hookimpl
def analyse(context: StageContext) -> list[Comparison]:
    """For each outcome the test of all levels, then every pair."""
    return analyse_block(context, lambda table, _: compare_levels(context.name, context.options, table), sentence)


def compare_levels(name: str, options: Mapping[str, Any], table: AnalysisTable) -> list[Comparison]:
    """All levels at once, then every pair of them."""
    if options.get("compared", "within-personas") == "within-personas":
        return _within(name, options, table)
    return _between(name, options, table)


def _within(name: str, options: Mapping[str, Any], table: AnalysisTable) -> list[Comparison]:
    import numpy as np

    factor, levels = options["factor"], tuple(options["levels"])
    rows = [rows_at(table, factor, level) for level in levels]
    blocks = complete_blocks(rows)
    matrix: Any = np.array(blocks.values, dtype=float).reshape(len(blocks.values), len(levels))
    tested = [WITHIN[test](matrix) for test in options.get("tests") or WITHIN]
    sizes = [_size(one, len(blocks.values)) for one in tested]
    values = [[float(value) for value in matrix[:, at]] for at in range(len(levels))]
    notes = missing_level_notes(factor, levels, rows)
    if blocks.incomplete:
        notes.append(f"personas without a value at every level, not used: {', '.join(blocks.incomplete)}")
    tests, more = tests_and_notes(tested)
    effects, _ = effects_and_notes(sizes)
    whole = Comparison(
        **common_fields(name, "omnibus", table),
        factor=factor,
        levels=levels,
        groups=tuple(group_of(*group, blocks.unused) for group in zip(levels, rows, values, strict=True)),
        n=len(blocks.values),
        possible=shared_personas(rows),
        unit_of_analysis="persona across levels",
        estimate=None,
        effects=effects,
        tests=tests,
        checks=tuple(_sphericity(matrix)),
        notes=(*notes, *more),
        personas=count_personas(rows),
    )
    return [whole, *_pairs(whole, pairs_within(matrix, options.get("pairwise") or "paired-t"))]


def _between(name: str, options: Mapping[str, Any], table: AnalysisTable) -> list[Comparison]:
    factor, levels = options["factor"], tuple(options["levels"])
    rows = [rows_at(table, factor, level) for level in levels]
    refuse_shared_personas(factor, rows)
    units = [independent_units(at_level) for at_level in rows]
    values = [[unit.value for unit in of_level] for of_level in units]
    n = sum(map(len, values))
    tested = [BETWEEN[test](values) for test in options.get("tests") or ("welch-anova", "kruskal-wallis")]
    tests, more = tests_and_notes(tested)
    effects, _ = effects_and_notes([_size(one, n) for one in tested])
    averaged = are_averaged([unit for of_level in units for unit in of_level])
    whole = Comparison(
        **common_fields(name, "omnibus", table),
        factor=factor,
        levels=levels,
        groups=tuple(group_of(*group) for group in zip(levels, rows, values, strict=True)),
        n=n,
        unit_of_analysis="persona (mean of its sessions)" if averaged else "session",
        estimate=None,
        effects=effects,
        tests=tests,
        checks=(assumptions.variance_words(values),),
        notes=(*missing_level_notes(factor, levels, rows), *more),
        personas=count_personas(rows),
    )
    return [whole, *_pairs(whole, pairs_between(values, options.get("pairwise") or "games-howell"))]


def _size(tested: Tested, n: int) -> Sized:
    """The effect size that belongs to a test."""
    if tested.test is None:
        return Sized(None)
    if tested.test.name == "kruskal-wallis":
        return omnibus.epsilon_squared(tested.test, n)
    if tested.test.name == "friedman":
        return omnibus.kendalls_w(tested.test, n)
    return omnibus.eta_squared(tested.test)


def _sphericity(matrix: Any) -> list[str]:
    found = omnibus.mauchly(matrix)
    always = "degrees of freedom are always corrected (Greenhouse-Geisser), so it changes nothing"
    if found is None:
        return [f"sphericity: cannot be checked (too few personas, or no spread); {always}"]
    facts = f"Mauchly W = {found.w:.3f}, {p_value(found.p)}, epsilon {found.epsilon:.3f}"
    if len(matrix) < assumptions.FEWEST and found.p >= assumptions.DOUBTFUL:
        return [f"sphericity: cannot be told from {len(matrix)} personas ({facts}); {always}"]
    return [f"sphericity: {facts}; {always}"]


def _pairs(whole: Comparison, pairs: Sequence[PairOfLevels]) -> list[Comparison]:
    """Each pair as a comparison of its own, with what it shares with the whole."""
    made = []
    for (i, j), pair in zip(combinations(range(len(whole.levels)), 2), pairs, strict=bool(pairs)):
        groups = (whole.groups[i], whole.groups[j])
        fields = {
            "design": "pairwise",
            "levels": (whole.levels[i], whole.levels[j]),
            "groups": groups,
            "n": pair.n,
            "unit_of_analysis": pair.unit or whole.unit_of_analysis,
            "estimate": pair.estimated.value,
            "interval": pair.estimated.interval,
            "interval_adjusted": pair.estimated.interval if pair.correction in SIMULTANEOUS else None,
            "effects": (pair.sized.effect,) if pair.sized.effect else (),
            "tests": (pair.test,) if pair.test else (),
            "checks": (),
            "notes": tuple(filter(None, [pair.estimated.note, pair.sized.note])),
            "correction": pair.correction,
            "family": pair.family or None,
        }
        made.append(whole.model_copy(update=fields))
    return made
