"""Single items as ordered categories: odds ratio of a higher score by the proportional-odds model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    AnalysisTable,
    Comparison,
    ProportionalOdds,
    Row,
    analyse_block,
    are_averaged,
    are_paired,
    block_schema,
    common_fields,
    count_distinct,
    count_personas,
    counts_text,
    effect_sizes,
    fit_problems,
    group_of,
    hookimpl,
    independent_units,
    level_names,
    level_text,
    missing_level_notes,
    proportional_odds,
    rows_at,
    tested_text,
    two_levels_options,
)

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, PlannedTest, PowerContext, Problem, StageContext

MOST_CATEGORIES = 15
FEW_CLUSTERS = 30


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: ordinal` under `analysis`."""
    return block_schema(["factor", "levels"], two_levels_options()) if stage == "analysis" else None


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Refuses totals, which are not ordered categories, and filters that name nothing."""
    problems = fit_problems(context, shared_personas=None, instead="")
    if str(context.options.get("outcome", "")).endswith(".total"):
        what = "`ordinal` does not fit a total, which has too many values; name an item, or use `using: paired`"
        problems.append(context.problem(what, "outcome"))
    return problems


@hookimpl
def plan_power(context: PowerContext) -> list[PlannedTest]:
    """A Wald test of the odds ratio, simulated."""
    from cbtrun.plugin import GROUPS, Kind, equal_groups, odds_power, planned_test

    n: int | None = context.personas
    told: tuple[str, ...] = ("sessions of one persona are taken as independent: more can be found than this",)
    if n is None:
        n, told = equal_groups(context)
    kind = Kind("", "wald", "odds ratio", GROUPS, n)
    return [planned_test(context, kind, lambda level: odds_power(level, context.seed, context.scores), more=told)]


@hookimpl
def sentence(comparison: Comparison) -> str:
    """How many times as large the odds of a higher score are."""
    first, second = level_names(comparison)
    odds = next((effect for effect in comparison.effects if effect.name == "odds_ratio"), None)
    if odds is None:
        return f"`{first}` and `{second}` could not be compared by proportional odds ({counts_text(comparison)})."
    span = odds.interval
    within = f"{level_text(span)} CI {span.low:.2f} to {span.high:.2f}" if span else "no interval"
    told = "; ".join(filter(None, [within, counts_text(comparison), tested_text(comparison)]))
    test = next(iter(comparison.tests), None)
    p = 1.0 if test is None else test.p if test.p_adjusted is None else test.p_adjusted
    if comparison.held_back or p >= 0.05:
        return (
            f"The odds of a higher score were not shown to be other for `{first}` than for `{second}` "
            f"(odds ratio {odds.value:.2f}, {told})."
        )
    return f"The odds of a higher score were {odds.value:.2f} times as large for `{first}` as for `{second}` ({told})."


@hookimpl
def analyse(context: StageContext) -> list[Comparison]:
    """One odds ratio for each item."""
    return analyse_block(context, lambda table, _: [compare_odds(context.name, context.options, table)], sentence)


def compare_odds(name: str, options: Mapping[str, Any], table: AnalysisTable) -> Comparison:
    """First level against second. Sessions are the rows; those of one persona are clusters of the standard error."""
    factor, levels = options["factor"], tuple(options["levels"])
    rows = [rows_at(table, factor, level) for level in levels]
    used = [
        sorted((row for row in at_level if row.value is not None), key=lambda row: row.session) for at_level in rows
    ]
    values = [[row.value for row in at_level if row.value is not None] for at_level in used]
    clustered = are_paired(used) or are_averaged([unit for at_level in used for unit in independent_units(at_level)])
    clusters = tuple([_cluster(row) for row in at_level] for at_level in used)
    found = _odds(values, (clusters[0], clusters[1]) if clustered else None)
    size = effect_sizes.cliffs_delta(*values) if not clustered else None
    count = len({name for side in clusters for name in side})
    effects = [found.effect, size.effect if size else None]
    return Comparison(
        **common_fields(name, "ordinal", table),
        factor=factor,
        levels=levels,
        groups=tuple(group_of(*group) for group in zip(levels, rows, values, strict=True)),
        n=sum(map(len, values)),
        unit_of_analysis="session, clustered by persona" if clustered else "session",
        estimate=None,
        effects=tuple(effect for effect in effects if effect is not None),
        tests=(found.test,) if found.test else (),
        checks=tuple(_checks(found, clustered, count)),
        notes=(*missing_level_notes(factor, levels, rows), *filter(None, [found.note])),
        personas=count_personas(rows),
    )


def _cluster(row: Row) -> str:
    return f"persona {row.persona}" if row.persona is not None else f"session {row.session}"


def _odds(values: list[list[float]], clusters: tuple[list[str], list[str]] | None) -> ProportionalOdds:
    categories = count_distinct([value for side in values for value in side])
    if categories > MOST_CATEGORIES:
        note = (
            f"{categories} distinct values are too many for ordered categories; `using: paired` or `independent` fits"
        )
        return ProportionalOdds(None, None, note=note)
    return proportional_odds(values[0], values[1], clusters)


def _checks(found: ProportionalOdds, clustered: bool, clusters: int) -> list[str]:
    words = []
    if found.single_cuts:
        low, high = min(found.single_cuts), max(found.single_cuts)
        alike = (
            "alike enough" if high / low < 4 or low > 1 or high < 1 else "in both directions: one odds ratio hides that"
        )
        words.append(f"proportional odds: single cut points give odds ratios of {low:.2f} to {high:.2f}, {alike}")
    if clustered and clusters < FEW_CLUSTERS:
        words.append(f"{clusters} personas are few for a cluster-robust error: the interval may be somewhat narrow")
    return words
