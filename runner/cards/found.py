"""What a run found of a tuned model, and how far that goes: figures with n and interval, and nothing that the run does not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from cbtrun.contract.labels import labels_of
from cbtrun.contract.markdown_text import markdown_code, markdown_table, markdown_text
from cbtrun.results.labelled import labelled_comparison
from cbtrun.results.spoken import ends_of, on_its_scale

if TYPE_CHECKING:
    from cbtrun.contract.records import Adapter, Comparison
    from cbtrun.results.records import GroupSummary, OutcomeSummary, RatingSetResults, Results
    from cbtrun.study.spec import Study


def arms_of(study: Study, adapter: Adapter, job: str) -> list[str]:
    """The arms in which it is the therapist; with other seeds of its job where the arm has all."""
    return [name for name, arm in study.arms.items() if arm.therapist in (job, adapter.name, f"{job}@{adapter.seed}")]


def found_lines(study: Study, results: Results | None, adapter: Adapter, job: str) -> Iterator[str]:
    """Its arms' outcomes, and the comparisons that they are part of."""
    arms = arms_of(study, adapter, job)
    if study.stand_ins:
        yield "Nothing: the run was a rehearsal with stand-ins."
        return
    rows = [*_rows(results, arms)] if results is not None else []
    if results is None or not rows:
        yield "Nothing: no session of it was rated. What it says, and whether that is any good, nobody has looked at."
        return
    together = [name for name in arms if study.arms[name].therapist == job and len(study.tune_jobs[job].seeds) > 1]
    if together:
        seeds = ", ".join(map(str, study.tune_jobs[job].seeds))
        yield f"The sessions of {markdown_text(', '.join(together))} are of the seeds {seeds} together, not of this one alone."
        yield ""
    yield from markdown_table(
        ("arm", "outcome", "mean [95 % CI]", "sessions", "patients", "without a score", "rater"), rows
    )
    said = [
        _sentence(one, study, results) for one in results.comparisons if _is_of(one, study, arms) and not one.subgroup
    ]
    if said:
        yield from ["", "Compared, as the study declared it:", ""]
        yield from (f"- {markdown_text(one)}" for one in dict.fromkeys(said))


def limits_of(study: Study, results: Results | None, adapter: Adapter, job: str) -> Iterator[str]:
    """How far it goes."""
    for name, rated in (results.ratings if results is not None and arms_of(study, adapter, job) else {}).items():
        raters = markdown_text(", ".join(rated.raters) or "nobody")
        validity = markdown_text(rated.rubric.validation or "nothing is known of its validity here")
        yield f"- {markdown_code(name)} is what {raters} rates on {markdown_text(rated.rubric.title)}: {validity}."
    if study.personas:
        yield "- The patients were simulated; what holds for them was not shown for people."
    if study.models[adapter.base].ships:
        yield "- Its base is a toy that shows that the pipeline works; nothing about therapy follows from it."
    count = len(study.tune_jobs[job].seeds)
    yield f"- {'One tuning' if count == 1 else f'{count} tunings'} by this recipe: another seed, corpus or base may come out otherwise."
    yield "- Only what the tables above name was looked at: nothing is known of other uses, languages, or groups of people."


def _rows(results: Results, arms: list[str]) -> Iterator[tuple[str, ...]]:
    for rated in results.ratings.values():
        for outcome in _chosen(rated):
            for group in outcome.groups.get("arm", ()):
                if group.level in arms and (group.n or group.missing):
                    yield _row(group, outcome, rated)


def _chosen(rated: RatingSetResults) -> list[OutcomeSummary]:
    """The total; the items where there is none."""
    return [one for one in rated.outcomes if one.kind == ("total" if rated.rubric.has_total else "item")]


def _row(group: GroupSummary, outcome: OutcomeSummary, rated: RatingSetResults) -> tuple[str, ...]:
    mean = "no score" if group.mean is None else f"{group.mean:.2f}"
    if group.interval is not None:
        mean += f" [{group.interval.low:.2f}, {group.interval.high:.2f}]"
    elif group.mean is not None:
        mean += " (no interval)"
    counts = (f"{group.n:,}", f"{group.personas:,}", _missing(group.missing, group.reasons))
    return (group.level, outcome.outcome, mean, *counts, ", ".join(rated.raters))


def _missing(count: int, reasons: Mapping[str, int]) -> str:
    return f"{count:,}" + (f" ({', '.join(f'{why} {n}' for why, n in reasons.items())})" if count else "")


def _is_of(one: Comparison, study: Study, arms: list[str]) -> bool:
    """Whether one of its arms is at a level of the comparison."""
    levels = {study.arms[name].factors.get(one.factor, name if one.factor == "arm" else "") for name in arms}
    return bool(levels & {*one.levels})


def _sentence(one: Comparison, study: Study, results: Results) -> str:
    said = labelled_comparison(one, labels_of(study)).sentence
    return on_its_scale(said, ends_of(results).get(one.outcome, (None, None)))
