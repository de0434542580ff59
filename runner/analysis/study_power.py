"""What every declared analysis of a study can find with the units it will have, and how many a wanted effect needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cbtrun.analysis.comparison_families import PRIMARY
from cbtrun.power.planned import PlannedTest, PowerContext, StudyFacets
from cbtrun.power.subgroup_levels import subgroup_levels

if TYPE_CHECKING:
    from cbtrun.contract.plans import Plan
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


@dataclass(frozen=True)
class Simulated:
    """How mixed models are simulated."""

    studies: int = 200
    components: Mapping[str, float] = field(default_factory=dict)
    """Of a pilot; empty without one."""


def planned_tests(
    study: Study,
    registry: Registry,
    plans: Mapping[str, Plan | None],
    alpha: float = 0.05,
    n: int | None = None,
    simulated: Simulated | None = None,
) -> list[PlannedTest | str]:
    """What each analysis can find, in the study's order; a text says why nothing can be planned for one.

    plans: of the study's stages, as `plan_study` gives them. n: personas (and sessions) instead of those of the study.
    simulated: how mixed models are simulated; none for a plan that has to be quick.
    """
    contexts = list(_declared(study, plans, alpha, n))
    if simulated is not None:
        contexts = [replace(one, facets=_facets(study, one.options, simulated)) for one in contexts]
    alone = [(context, registry.power(str(context.options["using"]), context) or []) for context in contexts]
    together = [(context, tests) for context, tests in alone if context.family == PRIMARY and tests]
    primary = sum(_leading(tests) for _, tests in together)
    pairs = sum(one.comparisons for _, tests in together for one in tests if one.of_pairs)
    found: list[PlannedTest | str] = []
    for context in contexts:
        using = str(context.options["using"])
        planned = registry.power(using, replace(context, primary=primary, primary_pairs=pairs))
        found += [f"{context.name}: no power is planned for `using: {using}`"] if planned is None else planned
    return found


def _leading(tests: list[PlannedTest]) -> int:
    """Primary comparisons of an analysis: all but pairs of levels; where only those are planned, the test of all levels."""
    lead = [one.comparisons for one in tests if not one.of_pairs]
    return max([1, len(lead), *lead])  # effects of two factors each count all of them


def _declared(study: Study, plans: Mapping[str, Plan | None], alpha: float, n: int | None) -> Iterator[PowerContext]:
    sessions_plan = plans.get("sessions")
    sessions = sessions_plan.units if sessions_plan else None
    people_plan = plans.get(f"personas.{study.sessions.personas}")
    personas = n if n is not None else people_plan.units if people_plan else None
    rubrics = study.rubrics()
    for name, analysis in study.analyses.items():
        options = study.options("analysis", name)
        score = analysis.outcome.partition(".")[2]
        rubric = rubrics.get(study.rating_sets[analysis.rating_set].rubric)
        outcomes = _outcomes(rubric, score) if options.get("items") else 1
        subgroups = subgroup_levels(study, options, personas)
        yield PowerContext(
            name, options, alpha, personas, n or sessions, outcomes, _scores(rubric, score), study.seed, subgroups
        )


def _facets(study: Study, options: Mapping[str, Any], simulated: Simulated) -> StudyFacets | None:
    """What the study has of each facet under the levels of an analysis; none for a design without one factor."""
    factor, levels = options.get("factor"), options.get("levels")
    if not factor or not isinstance(levels, list):
        return None
    tunings: dict[str, list[str | None]] = {str(level): [] for level in levels}
    for name, arm in study.arms.items():
        level = {**arm.factors, "arm": name}.get(factor)
        if level in tunings:
            job = study.job_of(arm.therapist)
            own = [f"{job.name}@{seed}" for seed in job.seeds] if job else [None]
            tunings[level] += own if "@" not in arm.therapist else [arm.therapist]
    rated = study.rating_sets[str(options["outcome"]).partition(".")[0]].options
    return StudyFacets(
        {level: tuple(found) for level, found in tunings.items()},
        study.sessions.repeats * study.sessions.sessions,
        len(rated.get("raters") or ()) or 1,
        len(rated.get("wordings") or ()) or 1,
        int(rated.get("repeats") or 1),
        simulated.studies,
        simulated.components,
    )


def _outcomes(rubric: Rubric | None, declared: str) -> int:
    items = [item.id for item in rubric.items if item.type != "text"] if rubric else []
    return len({declared, *items})


def _scores(rubric: Rubric | None, score: str) -> int:
    item = next((item for item in rubric.items if item.id == score), None) if rubric else None
    low, high = item.bounds if item and item.type != "text" else (0, 6)
    return int(high - low) + 1 if low is not None and high is not None else 7
