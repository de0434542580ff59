"""Levels as fixed, personas, raters, tuning seeds and patient models as random: every single rating is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    SESSIONS_AND_RATINGS,
    AnalysisTable,
    Comparison,
    Effect,
    Interval,
    MixedFit,
    Row,
    Test,
    all_levels_sentence,
    analyse_block,
    block_schema,
    common_fields,
    corrected_option,
    count_personas,
    fit_problems,
    group_of,
    hookimpl,
    independent_units,
    missing_level_notes,
    mixed_contrast,
    mixed_f_test,
    rows_at,
    sessions_text,
    several_levels_options,
    two_levels_sentence,
)
from cbtrun.plugins.analyses.mixed_fit import fitted_model
from cbtrun.plugins.analyses.mixed_terms import (
    DEFAULT,
    RANDOM,
    Observation,
    covered,
    levels_of_term,
    observations,
    random_terms,
    ratings_are_alike,
)

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, PlannedTest, PowerContext, Problem, StageContext

FEW = 5
ALIKE = "all ratings of a session are the same: each session counts once, and nothing is known of the raters' noise"
AS_PAIRED = (
    "planned as a paired t test of personas’ means: what raters and tuning seeds add is not known before, and few of them "
    "leave few degrees of freedom, however many personas there are; `cbtrun power` simulates it"
)


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: mixed` under `analysis`."""
    if stage != "analysis":
        return None
    random = {
        "type": "array",
        "items": {"enum": list(RANDOM)},
        "minItems": 1,
        "uniqueItems": True,
        "default": list(DEFAULT),
        "description": "Random intercepts. `seed` is the tuning run (tune job and seed; an untuned arm has none); "
        "`rater:level`, `wording:level`, `persona:level` and `seed:level` let raters, wordings, personas and tunings favour a level. What the design "
        "cannot tell apart is left out with a note, by default also `rater:level` where there are fewer than three "
        "raters; `session` and `persona:level` are added where sessions have several ratings, or personas several "
        "sessions at a level.",
    }
    return block_schema(["factor", "levels"], {**corrected_option(), **several_levels_options(2), "random": random})


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Refuses filters that name nothing; a mixed model fits sessions with and without shared personas."""
    return fit_problems(context, shared_personas=None, instead="")


@hookimpl
def plan_power(context: PowerContext) -> list[PlannedTest]:
    """Simulated with the model's own fit where somebody waits for that; in a plan a paired t test of personas' means."""
    from cbtrun.plugin import PAIRS, Kind, planned_test, power_in_pairs

    levels = len(context.options["levels"])
    pairs = levels * (levels - 1) // 2
    if context.facets is not None and context.personas is not None and all(context.facets.levels.values()):
        from cbtrun.plugins.analyses.mixed_power import simulated_power

        return [simulated_power(context, context.facets, pairs, compare_mixed)]
    kind = Kind("each pair" if pairs > 1 else "", "t", "dz", PAIRS, context.personas)
    return [planned_test(context, kind, power_in_pairs, pairs, (AS_PAIRED,))]


@hookimpl
def sentence(comparison: Comparison) -> str:
    """Of two levels their difference by sessions; of more whether they differ."""
    if comparison.design == "omnibus":
        return all_levels_sentence(comparison, sessions_text(comparison))
    return two_levels_sentence(comparison, sessions_text(comparison))


@hookimpl
def analyse(context: StageContext) -> list[Comparison]:
    """For each outcome every pair of levels; before them, of three or more levels, the F test of all."""
    return analyse_block(
        context,
        lambda table, _: compare_mixed(context.name, context.options, table),
        sentence,
        averages_tunings=lambda one: "seed" not in one.variance,
    )


def compare_mixed(name: str, options: Mapping[str, Any], table: AnalysisTable) -> list[Comparison]:
    """Differences of the levels' fixed effects, with Satterthwaite's degrees of freedom."""
    factor, levels = options["factor"], tuple(options["levels"])
    rows = [rows_at(table, factor, level) for level in levels]
    alike = ratings_are_alike([row for at_level in rows for row in at_level])
    seen = [obs for level, at_level in zip(levels, rows, strict=True) for obs in observations(level, at_level, alike)]
    wanted = list(options.get("random") or DEFAULT)
    terms, notes = random_terms(seen, wanted)
    used = [[_from_ratings(row) for row in at_level] for at_level in rows]
    notes = [*missing_level_notes(factor, levels, used), *notes, *_partly_rated(rows)]
    notes += [ALIKE] if alike else []
    fitted = fitted_model(seen, levels, terms, wanted)
    several = any("session" in one for one in terms)
    fields = {
        **common_fields(name, "mixed", table),
        "factor": factor,
        "n": len(levels_of_term(seen, "session")),
        "unit_of_analysis": SESSIONS_AND_RATINGS if several else "session",
        "personas": count_personas(used),
        "variance": dict(fitted.variance),
        "checks": tuple(_checks(seen, terms, several)),
        "notes": (*notes, *fitted.notes),
    }
    made = [_pair(fields, levels, used, pair, fitted.fit) for pair in combinations(range(len(levels)), 2)]
    if len(levels) > 2:
        made.insert(0, _whole(fields, levels, used, fitted.fit))
    return [_with_scope(one, seen, terms) for one in made]


def _with_scope(comparison: Comparison, seen: Sequence[Observation], terms: Sequence[str]) -> Comparison:
    """The comparison with what its interval reaches beyond, by the sessions at its own levels."""
    if not comparison.tests:
        return comparison
    here = [one for one in seen if one.level in comparison.levels]
    return comparison.model_copy(update={"covers": covered(here, terms)})


def _from_ratings(row: Row) -> Row:
    """The row with the mean of the ratings that it has, if one without a value left the session without."""
    if row.value is not None or not row.ratings:
        return row
    of_raters: dict[str, list[float]] = {}
    for (rater, _), value in row.ratings.items():
        of_raters.setdefault(rater, []).append(value)
    means = [sum(values) / len(values) for values in of_raters.values()]
    return row._replace(value=sum(means) / len(means), reason=None)


def _partly_rated(rows: Sequence[Sequence[Row]]) -> list[str]:
    """A note where sessions have some of their ratings only."""
    partly = sum(row.value is None and bool(row.ratings) for at_level in rows for row in at_level)
    if not partly:
        return []
    which = (
        "1 session lacks the value of a rating; its others are"
        if partly == 1
        else (f"{partly} sessions lack the value of a rating; their others are")
    )
    return [f"{which} used, right if what is missing does not depend on what it would have been"]


def _whole(
    fields: Mapping[str, Any], levels: Sequence[str], rows: Sequence[Sequence[Row]], fit: MixedFit | None
) -> Comparison:
    import numpy as np

    tests: tuple[Test, ...] = ()
    if fit is not None:
        tests = (mixed_f_test(fit, np.hstack([np.ones((len(levels) - 1, 1)), -np.eye(len(levels) - 1)])),)
    groups = tuple(_group(level, at_level) for level, at_level in zip(levels, rows, strict=True))
    whole = {**fields, "design": "omnibus"}
    return Comparison(**whole, levels=tuple(levels), groups=groups, estimate=None, tests=tests)


def _pair(
    fields: Mapping[str, Any],
    levels: Sequence[str],
    rows: Sequence[Sequence[Row]],
    pair: tuple[int, int],
    fit: MixedFit | None,
) -> Comparison:
    i, j = pair
    groups = (_group(levels[i], rows[i]), _group(levels[j], rows[j]))
    both = (levels[i], levels[j])
    if fit is None:
        return Comparison(**fields, levels=both, groups=groups, estimate=None)
    found = mixed_contrast(fit, [float(at == i) - float(at == j) for at in range(len(levels))])
    effect = _standardised(found.estimate, found.interval, fit)
    tests = (found.test,)
    return Comparison(
        **fields,
        levels=both,
        groups=groups,
        estimate=found.estimate,
        interval=found.interval,
        effects=effect,
        tests=tests,
    )


def _standardised(estimate: float, interval: Interval, fit: MixedFit) -> tuple[Effect, ...]:
    """The difference in SDs of a single observation, all components together. Source: Westfall, Kenny & Judd 2014."""
    total = sum(fit.variance.values()) ** 0.5
    if not total > 0:
        return ()
    scaled = Interval(
        low=interval.low / total, high=interval.high / total, method="mixed model, scaled by the total SD"
    )
    return (Effect(name="d_total", value=estimate / total, interval=scaled),)


def _group(level: str, rows: Sequence[Row]) -> Any:
    return group_of(level, rows, [unit.value for unit in independent_units(rows)])


def _checks(seen: Sequence[Observation], terms: Sequence[str], several: bool) -> list[str]:
    words = ["random intercepts are taken as normal; degrees of freedom by Satterthwaite"]
    if several:
        words.append(f"{len(seen)} ratings of {len(levels_of_term(seen, 'session'))} sessions")
    for term in terms:
        count = len(levels_of_term(seen, term))
        if count < FEW:
            words.append(
                f"random `{term}` has {count} levels: its variance is hardly known, and few degrees of freedom show it"
            )
    return words
