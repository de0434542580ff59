"""What every design has in common: the tables it reads, what the study says about them, and how results are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cbtrun.analysis.comparison_families import adjusted_block
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
from cbtrun.statistics.samples import MISSES, Sized, Tested, misses, stored_float
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
    from cbtrun.analysis.interaction import interactions  # it and what it computes with are for runs alone

    by = context.options.get("by")
    made: list[Comparison] = []
    tables = outcome_tables(context)
    correct = _correction(context)
    done = 0
    for whole, parts in _with_subgroups(tables):
        compared = []
        for table in (whole, *parts):
            compared.append(correct(compare(table, _seed_of(context, table)), table))
            done += 1
            context.advance(done, len(tables))
        first, *rest = compared
        asked = interactions(by, first, rest, parts) if by and parts else []
        made += [*first, *asked, *(one for of_part in rest for one in of_part)]
    noted = [
        one.model_copy(update={"notes": (*one.notes, *tuning_notes(context.study, one, averages_tunings(one)))})
        for one in made
    ]
    return finished(noted, context.options, words)


def _correction(context: StageContext) -> Callable[[Sequence[Comparison], AnalysisTable], Sequence[Comparison]]:
    """What makes a table's comparisons the corrected ones, where the block says `corrected_by`."""
    from cbtrun.analysis.corrected import corrected_comparison, corrected_levels, source_of

    name = source_of(context.options)
    if not name:
        return lambda compared, table: compared  # noqa: ARG005 - nothing is corrected
    source = context.people(name, context.options["outcome"].partition(".")[0])
    return lambda compared, table: [corrected_comparison(one, table, source) for one in corrected_levels(compared)]


def _with_subgroups(tables: Sequence[AnalysisTable]) -> list[tuple[AnalysisTable, list[AnalysisTable]]]:
    """Each outcome's table with those of its subgroups."""
    found: list[tuple[AnalysisTable, list[AnalysisTable]]] = []
    for table in tables:
        if table.subgroup:
            found[-1][1].append(table)
        else:
            found.append((table, []))
    return found


def _seed_of(context: StageContext, table: AnalysisTable) -> int:
    return derive_seed(context.seed, table.outcome, {name: list(kept) for name, kept in table.where.items()})


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
    """What `where` and `by` can ask of a persona: `persona.risk` ... -> its level; nothing of what is not known."""
    known = {attribute: getattr(persona, attribute) for attribute in PERSONA_ATTRIBUTES}
    levels = {f"persona.{name}": str(value) for name, value in {**known, **persona.labels}.items() if value}
    phq9 = persona.phq9
    if phq9 is None:
        return levels
    return levels | {"persona.severity": next(band for top, band in SEVERITY if phq9 <= top)}


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
    """The comparisons with p adjusted where their family is the block, their sentence, and numbers rounded for storage.

    What goes across blocks is done when all are there: analysis/whole_study.py.
    """
    corrected = adjusted_block(comparisons, options)
    return [stored(one.model_copy(update={"sentence": sentence_of(one, words)})) for one in corrected]


def stored(comparison: Comparison) -> Comparison:
    """The comparison as it is kept: every number at 12 significant digits, no interval that misses its estimate.

    Raises StatisticsError on NaN or infinities.
    """
    return Comparison.model_validate(_rounded(_without_misses(comparison).model_dump()))


def _without_misses(comparison: Comparison) -> Comparison:
    """Without the intervals that do not hold what they are about, each with a note why."""
    missing: dict[str, Any] = {}
    notes = []
    for name, what in (("interval", "the difference"), ("bootstrap", "the difference by the bootstrap")):
        if misses(comparison.estimate, getattr(comparison, name)):
            missing[name] = None
            notes.append(f"no interval of {what}: {MISSES}")
    effects = []
    for effect in comparison.effects:
        if misses(effect.value, effect.interval):
            notes.append(f"no interval of {effect.name.replace('_', ' ')}: {MISSES}")
            effect = effect.model_copy(update={"interval": None})
        effects.append(effect)
    if not notes:
        return comparison
    return comparison.model_copy(update={**missing, "effects": tuple(effects), "notes": (*comparison.notes, *notes)})


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return stored_float(value)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_rounded(inner) for inner in value)
    return value
