"""What a comparison's claim holds for: these tunings, these raters, these patients, or others like them.

A claim reaches beyond what it was seen on only where the model behind it has a random term for that: `seed` for tunings,
`rater:level` for raters. What the study's design has of each says the rest.

Source: Clark 1973, "The language-as-fixed-effect fallacy"; Westfall, Kenny & Judd 2014; Yarkoni 2022, "The generalizability
crisis".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cbtrun.analysis.corrected_words import seen_by
from cbtrun.analysis.trained_on import trained_on

if TYPE_CHECKING:
    from cbtrun.contract.records import Comparison
    from cbtrun.contract.study_view import StudyView

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def scope_of(comparison: Comparison, study: StudyView, raters: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What the claim holds for, in words that stand before it; what its random terms cover is said as reaching beyond.

    raters: rating set -> who rated in it.
    """
    rated = comparison.outcome.partition(".")[0]
    told = comparison.corrected
    by_people = told is not None and not told.withheld
    seen = seen_by(told) if told is not None and by_people else _raters(comparison, raters.get(rated, ()))
    if seen and (ways := _wordings(rated, study)) > 1:
        seen += f", asked in these {in_words(ways)} ways"
    judged = "" if by_people else trained_on(comparison.outcome, _jobs(comparison, study), study)
    parts = (_tunings(comparison, study), seen, judged, _patients(comparison, study))
    return tuple(part for part in parts if part)


def in_words(count: int) -> str:
    """`three`; figures from eleven on."""
    return NUMBERS[count] if count < len(NUMBERS) else f"{count:,}"


def tunings_of(comparison: Comparison, study: StudyView) -> dict[str, int]:
    """Tune job behind a comparison's levels -> the tunings of it that its sessions are held with."""
    jobs = {name: len(study.tune_jobs[name].seeds) for name in _jobs(comparison, study)}
    kept = comparison.where.get("seed")
    return {name: min(count, len(kept)) for name, count in jobs.items()} if kept else jobs


def _jobs(comparison: Comparison, study: StudyView) -> list[str]:
    """Tune jobs that play the therapist at one of the levels; `job@seed` names one of its tunings."""
    compared = comparison.moderated or comparison.levels
    wanted = {part for level in compared for part in (level, *level.split(" / "))}
    found: dict[str, None] = {}
    for name, arm in study.arms.items():
        levels = {**arm.factors, "arm": name}
        factors = [*levels] if comparison.moderated else comparison.factor.split(" x ")
        met = {levels.get(factor) for factor in factors} & wanted
        kept = all(levels.get(by) in those for by, those in comparison.where.items() if by in levels)
        job = study.job_of(arm.therapist)
        if met and kept and job is not None:
            found[job.name] = None
    return list(found)


def _tunings(comparison: Comparison, study: StudyView) -> str:
    counts = tunings_of(comparison, study)
    if not counts or comparison.factor == "seed":
        return ""
    each = " of each" if len(counts) > 1 else ""
    most, least = max(counts.values()), min(counts.values())
    if "seed" in comparison.covers and most > 1:
        return f"for tunings like these {in_words(most)}{each}"
    if most == 1:
        return f"for this one tuning{each}"
    if most == least:
        return f"for these {in_words(most)} tunings{each}"
    return f"for these tunings ({', '.join(f'{count} of {name}' for name, count in counts.items())})"


def _raters(comparison: Comparison, raters: Sequence[str]) -> str:
    count = len(raters)
    if not count:
        return ""
    if count > 1 and "rater" in comparison.covers:
        return f"as raters like these {in_words(count)} see it"
    return "as this one rater sees it" if count == 1 else f"as these {in_words(count)} raters see it"


def _wordings(rated: str, study: StudyView) -> int:
    """Ways in which each rater of a set was asked; no model has them as random."""
    found = study.rating_sets.get(rated)
    return len(found.options.get("wordings") or ()) if found is not None else 0


def _patients(comparison: Comparison, study: StudyView) -> str:
    if study.sessions.personas:
        return "among these simulated patients"
    if not study.sessions.using:
        return ""
    return "among the people of these sessions" if comparison.personas else "in these sessions"
