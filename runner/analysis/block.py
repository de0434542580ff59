"""What every design has in common: the tables it reads, what the study says about them, and how results are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cbtrun.analysis.table import (
    AnalysisTable,
    LevelledSession,
    Row,
    analysis_table,
    keep_where,
    kept_levels,
    subgroups,
)
from cbtrun.contract.digests import derive_seed
from cbtrun.contract.records import Comparison, Effect, Test
from cbtrun.scores.totals import is_summed
from cbtrun.statistics.multiplicity import Correction, adjusted_p
from cbtrun.statistics.samples import Sized, Tested, stored_float
from cbtrun.statistics.sentences import Words, sentence_of, two_levels_sentence

if TYPE_CHECKING:
    from cbtrun.contexts import StageContext
    from cbtrun.contract.records import Persona, Session
    from cbtrun.contract.study_view import StudyView

PERSONA_ATTRIBUTES = ("gender", "risk", "engagement_style", "disclosure_style")
SEVERITY = ((4, "minimal"), (9, "mild"), (14, "moderate"), (19, "moderately severe"), (27, "severe"))
"""Upper end of each PHQ-9 band (Kroenke, Spitzer & Williams 2001)."""

Compare = Callable[[AnalysisTable, int], Sequence[Comparison]]
"""A design: comparisons of one table, with the seed of what it draws."""


def analyse_block(
    context: StageContext,
    compare: Compare,
    words: Words = two_levels_sentence,
    averages_tunings: Callable[[Comparison], bool] = lambda comparison: True,  # noqa: ARG005 - most designs do
) -> list[Comparison]:
    """The design's comparisons of every table of the block, p adjusted, in words, rounded for storage.

    words: the design's sentence, for designs of other than two levels. averages_tunings: whether a comparison averages
    a level's tunings within each persona, which its notes then say.
    """
    made: list[Comparison] = []
    tables = outcome_tables(context)
    for done, table in enumerate(tables):
        seed = derive_seed(context.seed, table.outcome, {name: list(kept) for name, kept in table.where.items()})
        made.extend(compare(table, seed))
        context.advance(done + 1, len(tables))
    noted = [
        one.model_copy(update={"notes": (*one.notes, *tuning_notes(context.study, one, averages_tunings(one)))})
        for one in made
    ]
    return finished(noted, context.options, words)


def common_fields(name: str, design: str, table: AnalysisTable) -> dict[str, Any]:
    """What every comparison of a table says about itself; the sentence is written when all of a block are made."""
    return {
        "analysis": name,
        "design": design,
        "outcome": table.outcome,
        "where": dict(table.where),
        "subgroup": table.subgroup,
        "sentence": "",
    }


def outcome_tables(context: StageContext) -> list[AnalysisTable]:
    """The declared outcome's table, then each other item's if `items` is set; after each its subgroups, by `by`."""
    options = context.options
    ratings_name, _, declared = options["outcome"].partition(".")
    scores, flags = context.scores(ratings_name), options.get("exclude_flags", ())
    items = (
        [name for name in scores.outcomes if not is_summed(scores.rubric, name)] if options.get("items", True) else []
    )
    where, by = kept_levels(options.get("where")), options.get("by")
    sessions = levelled_sessions(context, [*where, *([by] if by else [])])
    tables = []
    for name in dict.fromkeys([declared, *items]):
        of_outcome = scores.of(name, options.get("aggregate"))
        table = analysis_table(f"{ratings_name}.{name}", sessions, of_outcome, scores.ends(name), flags)
        whole = keep_where(table, where)
        tables += [whole, *(subgroups(whole, by) if by else ())]
    return tables


def levelled_sessions(context: StageContext, wanted: Sequence[str] = ()) -> list[LevelledSession]:
    """Every session, read once: its tuning, its patient model and, where one is wanted, its persona's attributes."""
    attributes = _persona_levels(context) if any(name.startswith("persona.") for name in wanted) else {}
    levelled = []
    for session in context.sessions():
        patient = context.study.patient_in(session.arm)
        own = {"patient": patient} if patient else {}
        levels = {**own, **attributes.get(session.persona or "", {})}
        levelled.append(LevelledSession.of(session, levels, tuning_of(context.study, session)))
    return levelled


def tuning_of(study: StudyView, session: Session) -> str | None:
    """Tune job and seed of a session's therapist, `job@seed`, whatever its arm is called; none where it was not tuned."""
    arm = study.arms.get(session.arm) if session.arm is not None else None
    job = study.job_of(arm.therapist) if arm else None
    if arm is None or job is None:
        return None
    only = str(job.seeds[0]) if len(job.seeds) == 1 else ""
    return f"{job.name}@{arm.therapist.partition('@')[2] or session.factors.get('seed') or only}"


def _persona_levels(context: StageContext) -> dict[str, dict[str, str]]:
    name = context.study.sessions.personas
    found = {}
    for persona in context.personas(name) if name else []:
        found[persona.id] = persona_levels(persona)
    return found


def persona_levels(persona: Persona) -> dict[str, str]:
    """What `where` and `by` can ask of a persona: `persona.risk` ... -> its level."""
    levels = {f"persona.{attribute}": str(getattr(persona, attribute)) for attribute in PERSONA_ATTRIBUTES}
    return levels | {"persona.severity": next(band for top, band in SEVERITY if persona.phq9 <= top)}


def tuning_notes(study: StudyView, comparison: Comparison, averaged: bool = True) -> list[str]:
    """What the comparison does not cover: how much another tuning run of the same model could have differed."""
    jobs = study.tune_jobs
    notes = []
    for level in comparison.levels:
        used = {
            arm.therapist
            for arm in study.arms.values()
            if arm.factors.get(comparison.factor) == level and arm.therapist in jobs
        }
        for job in sorted(used):
            seeds = len(jobs[job].seeds)
            if "seed" in comparison.covers:
                if seeds == 1:
                    notes.append(
                        f"`{level}`: n = 1 tuning of `{job}`; how much tunings differ is known from the other levels alone"
                    )
            elif seeds == 1:
                notes.append(f"`{level}`: n = 1 tuning of `{job}`; the interval does not cover how tunings differ")
            elif averaged:
                notes.append(
                    f"`{level}`: {seeds} tunings of `{job}` are averaged within each persona; `using: mixed` with "
                    "`random: [persona, seed]` lets the interval cover how tunings differ"
                )
            else:
                notes.append(
                    f"`{level}`: {seeds} tunings of `{job}`, which another level shares; for an interval that covers how "
                    "other tunings take to the levels add `seed:level` to `random`"
                )
    return notes


def missing_level_notes(factor: str, levels: Sequence[str], rows: Sequence[Sequence[Row]]) -> list[str]:
    """A note for each level without a session, or without a value."""
    notes = []
    for level, at_level in zip(levels, rows, strict=True):
        if not at_level:
            notes.append(f"no session has {factor} `{level}`")
        elif all(row.value is None for row in at_level):
            notes.append(f"no session of `{level}` has a value")
    return notes


def count_personas(rows: Sequence[Sequence[Row]]) -> int | None:
    """Distinct personas with a value; none where no session has a persona."""
    found = {row.persona for at_level in rows for row in at_level if row.persona is not None and row.value is not None}
    return len(found) or None


def tests_and_notes(results: Sequence[Tested]) -> tuple[tuple[Test, ...], list[str]]:
    """The tests that could be done, and why the others could not."""
    done = tuple(result.test for result in results if result.test is not None)
    return done, [result.note for result in results if result.note is not None]


def effects_and_notes(results: Sequence[Sized]) -> tuple[tuple[Effect, ...], list[str]]:
    """The effects that could be computed, and why the others could not."""
    done = tuple(result.effect for result in results if result.effect is not None)
    return done, [result.note for result in results if result.note is not None]


def finished(
    comparisons: Sequence[Comparison], options: Mapping[str, Any], words: Words = two_levels_sentence
) -> list[Comparison]:
    """The comparisons with p adjusted over their family, their sentence, and numbers rounded for storage."""
    correction = options.get("correction", "holm")
    corrected = _corrected(comparisons, correction, options.get("family", "block"), options.get("outcome", ""))
    return [stored(one.model_copy(update={"sentence": sentence_of(one, words)})) for one in corrected]


def _corrected(
    comparisons: Sequence[Comparison], correction: Correction, family: str, primary: str
) -> list[Comparison]:
    """Each kind of test is adjusted over the family by itself: t and Wilcoxon ask one question twice, not two."""
    if correction == "none":
        return list(comparisons)
    alone = [family == "outcome-alone" and one.outcome == primary and not one.subgroup for one in comparisons]
    done = list(comparisons)
    for side in (True, False):
        members = [at for at, first in enumerate(alone) if first == side and not done[at].correction]
        for name in sorted({test.name for index in members for test in done[index].tests}):
            having = [index for index in members if any(test.name == name for test in done[index].tests)]
            raw = [test.p for index in having for test in done[index].tests if test.name == name]
            for index, adjusted in zip(having, adjusted_p(raw, correction), strict=True):
                done[index] = _with_adjusted(done[index], name, adjusted, correction, len(raw))
    return done


def _with_adjusted(comparison: Comparison, name: str, adjusted: float, correction: str, family: int) -> Comparison:
    tests = tuple(
        test.model_copy(update={"p_adjusted": adjusted}) if test.name == name else test for test in comparison.tests
    )
    size = max(family, comparison.family or 0)
    return comparison.model_copy(update={"tests": tests, "correction": correction, "family": size})


def stored(comparison: Comparison) -> Comparison:
    """The comparison with every number at 12 significant digits. Raises StatisticsError on NaN or infinities."""
    return Comparison.model_validate(_rounded(comparison.model_dump()))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return stored_float(value)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_rounded(inner) for inner in value)
    return value
