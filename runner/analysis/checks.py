"""Whether a design fits the study, as far as the study's text tells: said before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from cbtrun.analysis.block import PERSONA_ATTRIBUTES

if TYPE_CHECKING:
    from cbtrun.contexts import BlockContext
    from cbtrun.contract.study_blocks import SessionsBlock
    from cbtrun.contract.study_view import StudyView
    from cbtrun.errors import Problem

BUILT_IN = ("arm", "persona", "patient", "repeat", *(f"persona.{name}" for name in (*PERSONA_ATTRIBUTES, "severity")))


def fit_problems(context: BlockContext, shared_personas: bool | None, instead: str) -> list[Problem]:
    """Problems of the unit of analysis and of `where` and `by`.

    shared_personas: True for a design within personas, False for one between sessions, None where both will do.
    instead: the design that fits where this one does not.
    """
    problems = [*filter_problems(context), *correction_problems(context)]
    sessions = context.study.sessions
    using, factor = context.options.get("using", "this design"), context.options.get("factor", "")
    if shared_personas is False and simulated(sessions) and varies_between_arms(context):
        what = f"`{using}` does not fit: every persona has sessions in every arm, so the levels of '{factor}' are not "
        problems.append(context.problem(f"{what}independent; use {instead}", "using"))
    if shared_personas is True and imported(sessions) and "persona" not in _mapping(sessions.options.get("columns")):
        what = f"`{using}` does not fit: the imported sessions have no persona to pair by; map a column to `persona` "
        problems.append(context.problem(f"{what}under `sessions/columns`, or use {instead}", "using"))
    return problems


def compared_problems(context: BlockContext) -> list[Problem]:
    """Problems of a design that says how it compares: `compared: within-personas` or `between`."""
    within = context.options.get("compared", "within-personas") == "within-personas"
    return fit_problems(context, within, "`compared: between`" if within else "`compared: within-personas`")


def factorial_problems(context: BlockContext) -> list[Problem]:
    """Problems of two crossed factors: levels that are not given, cells without an arm, and how they are compared."""
    problems = list(filter_problems(context))
    factors, levels = list(context.options.get("factors") or ()), _mapping(context.options.get("levels"))
    for factor in factors:
        if factor not in levels:
            problems.append(context.problem(f"no levels of '{factor}' are given", "levels"))
    for name in levels:
        if name not in factors:
            problems.append(context.problem(f"'{name}' is none of the factors: {', '.join(factors)}", "levels", name))
    arms = [arm.factors for arm in context.study.arms.values()]
    if not problems and any(factor in arm for factor in factors for arm in arms):
        filled = {tuple(str(arm.get(factor)) for factor in factors) for arm in arms}
        for cell in product(*(levels[factor] for factor in factors)):
            if cell not in filled:
                named = ", ".join(f"{factor} '{level}'" for factor, level in zip(factors, cell, strict=True))
                problems.append(context.problem(f"no arm has {named}; a factorial design needs every cell", "levels"))
        compared = context.options.get("compared", "within-personas")
        if compared == "between" and simulated(context.study.sessions):
            what = "`compared: between` does not fit: every persona has sessions in every arm; use `within-personas`"
            problems.append(context.problem(what, "compared"))
    return problems


def filter_problems(context: BlockContext) -> Iterable[Problem]:
    """Names in `where` and `by` that are neither a factor, a label, nor built in; levels that no arm has."""
    known = known_factors(context.study)
    for name in _mapping(context.options.get("where")):
        if name not in known:
            yield context.problem(_unknown(name, known), "where", name)
    by = context.options.get("by")
    if isinstance(by, str) and by not in known:
        yield context.problem(_unknown(by, known), "by")


def correction_problems(context: BlockContext) -> Iterable[Problem]:
    """`corrected_by` beside what it does not go with: subgroups, and people who used another rubric."""
    said = context.options.get("corrected_by")
    if not isinstance(said, str):
        return
    if context.options.get("by"):
        what = "a corrected difference is not tested for interactions; make an analysis with `where` for each subgroup"
        yield context.problem(f"`by` does not go with `corrected_by`: {what}", "by")
    block = _mapping(context.study.people.get(said.partition(".")[2]))
    used, outcome = block.get("ratings"), str(context.options.get("outcome", ""))
    if used and not outcome.startswith(f"{used}."):
        what = f"{said} rated with the rubric of ratings.{used}; they say nothing of {outcome}"
        yield context.problem(what, "corrected_by")
    if not used and len(context.study.rating_sets) > 1:
        what = f"say with which rubric they rated: people.{said.partition('.')[2]}.ratings"
        yield context.problem(f"the study has several rating sets; {what}", "corrected_by")


def known_factors(study: StudyView) -> list[str]:
    """Every name that a session can have a level of."""
    sessions = study.sessions
    names = {*(name for arm in study.arms.values() for name in arm.factors), *sessions.factors, *sessions.labels}
    patients = study.personas.get(sessions.personas)
    names |= {f"persona.{label}" for label in _mapping(patients.options.get("labels") if patients else None)}
    seeds = [job for job in study.tune_jobs.values() if len(job.seeds) > 1]
    course = ["session_number"] if sessions.sessions > 1 else []
    return sorted({*names, *BUILT_IN, *course, *(["seed"] if seeds else [])})


def simulated(sessions: SessionsBlock) -> bool:
    """Whether the study simulates its sessions, every arm with every persona."""
    return bool(sessions.personas) and not imported(sessions)


def imported(sessions: SessionsBlock) -> bool:
    """Whether the sessions come from a file, whose columns the block names."""
    return "columns" in sessions.options


def varies_between_arms(context: BlockContext) -> bool:
    """Whether the factor is one of the arms', so that its levels share the personas."""
    return any(context.options.get("factor") in arm.factors for arm in context.study.arms.values())


def _unknown(name: str, known: Iterable[str]) -> str:
    return f"unknown factor or label '{name}'; known: {', '.join(known)}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
