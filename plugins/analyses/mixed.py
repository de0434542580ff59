"""Levels as fixed, personas, raters, tuning seeds and patient models as random: every single rating is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    AnalysisTable,
    Comparison,
    Effect,
    Interval,
    MixedFit,
    Row,
    StatisticsError,
    Test,
    all_levels_sentence,
    analyse_block,
    block_schema,
    common_fields,
    count_personas,
    fit_mixed,
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

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, PlannedTest, PowerContext, Problem, StageContext

RANDOM = ("persona", "rater", "seed", "patient", "persona:level", "rater:level", "session")
FEW = 5
ALIKE = "all ratings of a session are the same: each session counts once, and nothing is known of the raters' noise"


@dataclass(frozen=True)
class Observation:
    """One rating (or one session's value, where it has one rating) with everything that may have moved it."""

    level: str
    value: float
    terms: Mapping[str, str]
    """Random term -> its level here."""


AS_PAIRED = "planned as a paired t test of personas’ means: what raters and tuning seeds add is not known before"


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
        "default": ["persona", "rater", "seed", "patient"],
        "description": "Random intercepts. `seed` is the tuning run within its level; `rater:level` lets raters favour "
        "a level. Those with a single level are left out with a note; `session` and `persona:level` are added where "
        "sessions have several ratings, or personas several sessions at a level.",
    }
    return block_schema(["factor", "levels"], {**several_levels_options(2), "random": random})


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Refuses filters that name nothing; a mixed model fits sessions with and without shared personas."""
    return fit_problems(context, shared_personas=None, instead="")


@hookimpl
def plan_power(context: PowerContext) -> list[PlannedTest]:
    """Planned as a paired t test of personas' means."""
    from cbtrun.plugin import PAIRS, Kind, planned_test, power_in_pairs

    levels = len(context.options["levels"])
    pairs = levels * (levels - 1) // 2
    kind = Kind("each pair" if pairs > 1 else "", "t", "dz", PAIRS, context.personas)
    return [planned_test(context, kind, power_in_pairs, pairs, (AS_PAIRED,))]


@hookimpl
def sentence(comparison: Comparison) -> str:
    """Of two levels their difference by sessions; of more whether they differ."""
    if comparison.design == "omnibus":
        return all_levels_sentence(comparison)
    return two_levels_sentence(comparison, sessions_text(comparison))


@hookimpl
def analyse(context: StageContext) -> list[Comparison]:
    """For each outcome every pair of levels; before them, of three or more levels, the F test of all."""
    return analyse_block(
        context,
        lambda table, _: compare_mixed(context.name, context.options, table),
        sentence,
        averages_tunings=lambda one: one.design != "mixed",
    )


def compare_mixed(name: str, options: Mapping[str, Any], table: AnalysisTable) -> list[Comparison]:
    """Differences of the levels' fixed effects, with Satterthwaite's degrees of freedom."""
    factor, levels = options["factor"], tuple(options["levels"])
    rows = [rows_at(table, factor, level) for level in levels]
    alike = ratings_are_alike([row for at_level in rows for row in at_level])
    seen = [obs for level, at_level in zip(levels, rows, strict=True) for obs in observations(level, at_level, alike)]
    terms, notes = _terms(seen, list(options.get("random") or RANDOM[:4]))
    notes += [ALIKE] if alike else []
    notes = [*missing_level_notes(factor, levels, rows), *notes]
    fit, why = _fit(seen, levels, terms)
    fields = {
        **common_fields(name, "mixed", table),
        "factor": factor,
        "n": len(seen),
        "unit_of_analysis": "rating" if any("session" in one for one in terms) else "session",
        "personas": count_personas(rows),
        "variance": dict(fit.variance) if fit else {},
        "checks": tuple(_checks(seen, terms)),
        "notes": (*notes, *filter(None, [why])),
    }
    pairs = [_pair(fields, levels, rows, pair, fit) for pair in combinations(range(len(levels)), 2)]
    return pairs if len(levels) == 2 else [_whole(fields, levels, rows, fit), *pairs]


def ratings_are_alike(rows: Sequence[Row]) -> bool:
    """Whether some sessions have several ratings, and none of them differ: they then tell no more than one would."""
    several = [row.ratings.values() for row in rows if row.value is not None and len(row.ratings) > 1]
    return bool(several) and all(len(set(ratings)) == 1 for ratings in several)


def observations(level: str, rows: Sequence[Row], alike: bool = False) -> list[Observation]:
    """Every rating of the sessions with a value, or the value itself where a session has a single rating.

    alike: the ratings of each session are all the same, so that a session counts once.
    """
    made = []
    for row in sorted(rows, key=lambda row: row.session):
        if row.value is None:
            continue
        persona = row.persona if row.persona is not None else f"session {row.session}"
        own = {
            "persona": persona,
            "session": row.session,
            "seed": f"{row.arm}@{row.levels.get('seed', '')}",
            "patient": row.levels.get("patient", ""),
            "persona:level": f"{persona} {level}",
        }
        ratings = row.ratings if len(row.ratings) > 1 and not alike else {("", 1): row.value}
        for (rater, _), value in sorted(ratings.items()):
            made.append(Observation(level, value, {**own, "rater": rater, "rater:level": f"{rater} {level}"}))
    return made


def _terms(seen: Sequence[Observation], wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Random terms that can be told apart from the residual, and why others are left out or added."""
    terms, notes = [], []
    for term in wanted:
        distinct = {one.terms[term] for one in seen}
        tuned = any(not one.terms["seed"].endswith("@") for one in seen)
        if len(distinct) < 2 or len(distinct) == len(seen) or (term == "seed" and not tuned):
            if term in ("persona", "session"):
                notes.append(f"random `{term}` left out: {'only one' if len(distinct) < 2 else 'each has one value'}")
            elif term == "rater" or (term == "patient" and "" not in distinct):
                notes.append(f"n = 1 {term}: results do not reach beyond it")
            continue
        terms.append(term)
    for term, why in (("persona:level", "several sessions at a level"), ("session", "several ratings a session")):
        distinct = {one.terms[term] for one in seen}
        finest = {one.terms["session"] for one in seen}
        if term not in terms and len(distinct) < (len(finest) if term == "persona:level" else len(seen)):
            terms.append(term)
            notes.append(f"random `{term}` added: {why}")
    if (
        "session" in terms
        and "persona:level" in terms
        and len(_levels(seen, "session")) == len(_levels(seen, "persona:level"))
    ):
        terms.remove("persona:level")  # one session each: the two are the same term
    return terms, notes


def _levels(seen: Sequence[Observation], term: str) -> set[str]:
    return {one.terms[term] for one in seen}


def _fit(
    seen: Sequence[Observation], levels: Sequence[str], terms: Sequence[str]
) -> tuple[MixedFit | None, str | None]:
    import numpy as np

    if len({one.level for one in seen}) < len(levels):
        return None, "mixed model: a level has no value"
    fixed = np.array([[float(one.level == level) for level in levels] for one in seen])
    random = {term: [one.terms[term] for one in seen] for term in terms}
    try:
        return fit_mixed([one.value for one in seen], fixed, random), None
    except StatisticsError as error:
        return None, str(error)


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


def _checks(seen: Sequence[Observation], terms: Sequence[str]) -> list[str]:
    words = ["random intercepts are taken as normal; degrees of freedom by Satterthwaite"]
    for term in terms:
        count = len(_levels(seen, term))
        if count < FEW:
            words.append(
                f"random `{term}` has {count} levels: its variance is hardly known, and few degrees of freedom show it"
            )
    return words
