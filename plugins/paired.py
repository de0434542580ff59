"""Two levels within the same personas: mean difference, dz, rank-biserial; paired t and Wilcoxon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from cbtrun.analysis_table import AnalysisTable, Pairing, group_of, kept_levels, pair_by_persona, rows_at
from cbtrun.hookspecs import hookimpl
from cbtrun.records import Comparison
from cbtrun.statistics import effect_sizes, paired
from cbtrun.statistics.wording import difference_sentence

if TYPE_CHECKING:
    from cbtrun.context import StageContext
    from cbtrun.records import Json

TESTS = {"t": paired.paired_t_test, "wilcoxon": paired.wilcoxon_test}


def fingerprint_files() -> list[Path]:
    """Files besides this one that decide the results."""
    return statistics_files()


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: paired` under `analysis`."""
    if stage != "analysis":
        return None
    pair_by = {"enum": ["persona"], "default": "persona", "description": "What makes a pair: the same persona."}
    tests = tests_option(list(TESTS), "Two-sided tests of a mean difference of zero.")
    properties = {**outcome_options(), **two_levels_options(), "pair_by": pair_by, "tests": tests}
    return block_schema(["outcome", "factor", "levels"], properties)


@hookimpl
def analyse(context: StageContext) -> list[Comparison]:
    """One comparison of the two levels for the declared outcome and, unless switched off, for each item."""
    return [compare_pairs(context.name, context.options, table) for table in outcome_tables(context)]


def compare_pairs(name: str, options: Mapping[str, Any], table: AnalysisTable) -> Comparison:
    """First level against second within personas; the mean over a persona's repeats stands for it."""
    factor, levels = options["factor"], tuple(options["levels"])
    rows = [rows_at(table, factor, level) for level in levels]
    pairing = pair_by_persona(*rows)
    differences = [pair.difference for pair in pairing.pairs]
    mean = paired.mean_of_differences(differences)
    tests, test_notes = tests_and_notes([TESTS[test](differences) for test in options.get("tests", list(TESTS))])
    sizes = [effect_sizes.dz(differences), effect_sizes.rank_biserial(differences)]
    effects, effect_notes = effects_and_notes(sizes)
    counts = f"n = {len(differences)} {'pair' if len(differences) == 1 else 'pairs'}"
    notes = [*missing_level_notes(factor, levels, rows), *_pairing_notes(pairing), *filter(None, [mean.note])]
    used = ([pair.first for pair in pairing.pairs], [pair.second for pair in pairing.pairs])
    return stored(
        Comparison(
            analysis=name,
            design="paired",
            outcome=table.outcome,
            factor=factor,
            levels=levels,
            groups=tuple(
                group_of(level, at, values, pairing.unused)
                for level, at, values in zip(levels, rows, used, strict=True)
            ),
            n=len(differences),
            unit_of_analysis="pair of one persona",
            estimate=mean.value,
            interval=mean.interval,
            effects=effects,
            tests=tests,
            notes=(*notes, *test_notes, *effect_notes),
            sentence=difference_sentence(levels, mean.value, mean.interval, counts, tests, effects),
            where=kept_levels(options.get("where")),
        )
    )


def _pairing_notes(pairing: Pairing) -> Sequence[str]:
    if not pairing.unpaired:
        return []
    return [f"personas with a value at one level only, not used: {', '.join(pairing.unpaired)}"]
