"""Power of `mixed` by simulation: whole studies of the declared design, each analysed as the study itself will be.

A shift of the levels moves an estimate and neither its error nor its degrees of freedom, so that one batch of studies without
an effect tells the power for every effect. For other numbers of personas the closed form of crossed designs stands in, with the
effect taken so much smaller as the simulation finds less than it does (REML takes some of a rater's chance for its taste).

Source: Green & MacLeod 2016 (simr) for the procedure; Westfall, Kenny & Judd 2014 for the closed form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    PAIRS,
    PARTS,
    AnalysisTable,
    ArmContrast,
    Comparison,
    Design,
    Kind,
    PlannedTest,
    PowerContext,
    Precision,
    Row,
    StudyFacets,
    derive_seed,
    planned_test,
    smallest_effect,
    which_rating,
)
from cbtrun.plugins.analyses.mixed_terms import DEFAULT, ENOUGH_RATERS

if TYPE_CHECKING:
    from numpy.random import Generator

USUAL_POWER = 0.8
"""At which the closed form is set to the simulation."""
Compare = Callable[[str, Mapping[str, Any], AnalysisTable], list[Comparison]]

ASSUMED = (
    "without a pilot: half of what differs within a persona's level is the session's, half its ratings'; nothing is known of "
    "raters, wordings and tunings that take to one arm, and nothing is simulated of them, so that this is the most that can "
    "be found; --from RUN takes them from a pilot"
)
FROM_PILOT = "components are those of the pilot; what it could not tell is not simulated"


def simulated_power(context: PowerContext, facets: StudyFacets, pairs: int, compare: Compare) -> PlannedTest:
    """The planned test of two levels, simulated at the study's personas and by the closed form at others.

    compare: makes the analysis of a table. Effects are in dz, the SD of personas' differences.
    """
    personas = context.personas or 0
    fixed = _fixed(context, facets)
    facets = replace(facets, components={name: one for name, one in facets.components.items() if name not in fixed})
    contrast = _contrast(facets)
    design = _design(facets, personas)
    unit = _of_one_persona(contrast, design)

    @cache
    def studies() -> list[tuple[float, float, float]]:
        return _studies(context, facets, {**facets.components, **contrast.components}, personas, compare)

    def power(level: float) -> Callable[[int, float], float]:
        from scipy.special import stdtr

        def simulated(dz: float) -> float:
            ts = [((one + dz * unit) / error, df) for one, error, df in studies()]
            return float(sum(2 * stdtr(df, -abs(t)) < level for t, df in ts)) / facets.studies

        @cache
        def reach() -> float:
            """Of the simulated model's effect, how much the closed form would need for the same power."""
            needed = smallest_effect(simulated, USUAL_POWER)
            closed = float(Precision(level, USUAL_POWER).detectable(contrast, design)) / unit
            return closed / needed if needed and closed < float("inf") else 1.0

        def power_at(n: int, dz: float) -> float:
            if n == personas:
                return simulated(dz)
            return Precision(level).power_of(contrast, _design(facets, n), dz * unit * reach()) if n >= 2 else 0.0

        return power_at

    kind = Kind("each pair" if pairs > 1 else "", "mixed model", "dz", PAIRS, context.personas)
    told = (
        f"simulated with the model's own fit at n = {personas}, {facets.studies:,} studies; at other n by the closed form of "
        "crossed designs, set to agree with them",
        FROM_PILOT if facets.components else ASSUMED,
        *(
            [f"too few to show how they differ by arm, so that the claim is about these: {', '.join(fixed)}"]
            if fixed
            else []
        ),
    )
    made = planned_test(context, kind, power, pairs, told)
    return replace(made, points=unit) if facets.components else made


def _fixed(context: PowerContext, facets: StudyFacets) -> list[str]:
    """Facets of which the study has too few for the model to hold how they differ by arm, if it is not told to."""
    wanted = context.options.get("random") or DEFAULT
    asked = () if tuple(wanted) == DEFAULT else tuple(wanted)
    counts = {"rater": facets.raters, "wording": facets.wordings}
    found = [name for name, count in counts.items() if count < (2 if f"{name}:level" in asked else ENOUGH_RATERS)]
    tunings = [{*those} - {None} for those in facets.levels.values()]
    return [*found, *(["seed"] if any(tunings) and max(map(len, tunings)) < 2 else [])]


def _design(facets: StudyFacets, personas: int) -> Design:
    seeds = max(len({one for one in tunings if one is not None} or {""}) for tunings in facets.levels.values())
    sets = min(len(tunings) for tunings in facets.levels.values())
    sessions = facets.sessions * max(1, sets // seeds)
    return Design(personas, seeds, sessions, facets.raters, facets.repeats, facets.wordings)


def _contrast(facets: StudyFacets) -> ArmContrast:
    """Of the first two levels. Components without a pilot are in units of the SD of personas' differences."""
    first, second = list(facets.levels.values())[:2]
    shared = {*first} & {*second} - {None}
    tuned = tuple(bool({*tunings} - {None}) and not shared for tunings in (first, second))
    components = {name: value for name, value in facets.components.items() if name in PARTS}
    if not components:
        design = _design(facets, 2)
        each = design.sessions * design.seeds
        of_ratings = facets.raters * facets.wordings * facets.repeats
        components = {"session": 0.25 * each, "residual": 0.25 * each * of_ratings}
        if of_ratings == 1:
            components = {"session": 0.5 * each}
    return ArmContrast(components, (tuned[0], tuned[1]))


def _of_one_persona(contrast: ArmContrast, design: Design) -> float:
    """SD of one persona's difference between the two levels, raters and tunings as they are."""
    one = contrast.parts(design._replace(personas=1))
    return float(sum(float(one[name]) for name in one if name not in ("seed", "rater", "wording")) ** 0.5)


def _studies(
    context: PowerContext, facets: StudyFacets, components: Mapping[str, float], personas: int, compare: Compare
) -> list[tuple[float, float, float]]:
    """Estimate, its error and degrees of freedom in each study without an effect; those without a test are left out."""
    import numpy as np

    rng = np.random.default_rng(derive_seed(context.seed, f"power of {context.name}"))
    options = {**context.options, "items": False}
    first, second = list(facets.levels)[:2]
    found = []
    for _ in range(facets.studies):
        table = AnalysisTable("simulated", tuple(_rows(rng, facets, components, personas, str(options["factor"]))))
        for one in compare(context.name, options, table):
            if one.levels == (first, second) and one.tests and one.estimate is not None and one.tests[0].statistic:
                test = one.tests[0]
                found.append((one.estimate, one.estimate / test.statistic, float(test.df or 1.0)))
    return found


def _rows(
    rng: Generator, facets: StudyFacets, components: Mapping[str, float], personas: int, factor: str
) -> list[Row]:
    """One study in which the levels do not differ."""

    def drawn(name: str, *size: int) -> Any:
        return rng.normal(size=size) * components.get(name, 0.0) ** 0.5

    ratings = (facets.raters, facets.wordings, facets.repeats)
    own = drawn("persona alone", personas) if "persona alone" in components else rng.normal(size=personas)
    alike = drawn("rater alone", facets.raters)[:, None, None] + drawn("wording alone", facets.wordings)[None, :, None]
    tunings = {one: drawn("seed") for found in facets.levels.values() for one in found if one is not None}
    rows = []
    for level, sets in facets.levels.items():
        of_arm = drawn("rater", facets.raters)[:, None, None] + drawn("wording", facets.wordings)[None, :, None]
        takes = drawn("persona", personas)
        for at, tuning in enumerate(sets):
            for person in range(personas):
                for session in range(facets.sessions):
                    value = own[person] + takes[person] + drawn("session") + (tunings[tuning] if tuning else 0.0)
                    noise = drawn("rater-session", facets.raters)[:, None, None] + drawn("residual", *ratings)
                    noise = noise + drawn("wording-session", facets.wordings)[None, :, None]
                    scores = value + alike + of_arm + noise
                    name = f"{level}/{at}/{person}/{session}"
                    rows.append(_row(name, f"p{person}", (factor, level), scores, tuning))
    return rows


def _row(name: str, persona: str, level: tuple[str, str], scores: Any, tuning: str | None) -> Row:
    raters, wordings, repeats = scores.shape
    singles = {
        (f"r{rater}", which_rating(repeat + 1, f"w{wording}" if wordings > 1 else "")): float(
            scores[rater, wording, repeat]
        )
        for rater in range(raters)
        for wording in range(wordings)
        for repeat in range(repeats)
    }
    value = float(scores.mean())
    kept = singles if scores.size > 1 else {}
    return Row(name, level[1], persona, 1, {level[0]: level[1]}, value, None, value, value, kept, tuning)
