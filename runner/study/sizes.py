"""How much a study asks for in all: numbers that are each within bounds may still come to more than any machine can hold."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cbtrun.contract.study_view import StudyView

MOST_UNITS = 10_000_000
"""Sessions, or ratings of a set."""
MOST_TURNS = 1_000_000_000
"""Of all sessions together."""


def size_problems(study: StudyView) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path and words of each stage that asks for too much, as far as the file alone tells."""
    persons = study.personas[study.sessions.personas].count if study.sessions.personas in study.personas else None
    if not study.arms or not persons:
        return
    jobs, block = study.tune_jobs, study.sessions
    arms = sum(len(jobs[arm.therapist].seeds) if arm.therapist in jobs else 1 for arm in study.arms.values())
    factors = {"personas": persons, "arms and seeds": arms, "sessions each": block.sessions, "repeats": block.repeats}
    sessions = prod(factors.values())
    if sessions > MOST_UNITS:
        yield ("sessions", "repeats"), _too_many("sessions", factors, MOST_UNITS)
    elif sessions * (block.max_turns or 1) > MOST_TURNS:
        yield (
            ("sessions", "max_turns"),
            _too_many("turns", {"sessions": sessions, "turns": block.max_turns or 1}, MOST_TURNS),
        )
    for name, rated in study.rating_sets.items():
        raters, repeats = rated.options.get("raters") or (), rated.options.get("repeats") or 1
        wordings = len(rated.options.get("wordings") or ()) or 1
        asked = {"sessions": min(sessions, MOST_UNITS), "raters": max(1, len(raters)), "repeats": repeats}
        asked["wordings"] = wordings
        if prod(asked.values()) > MOST_UNITS and sessions <= MOST_UNITS:
            yield ("ratings", name, "repeats"), _too_many("ratings", asked, MOST_UNITS)


def _too_many(what: str, factors: dict[str, int], most: int) -> str:
    told = " x ".join(f"{count:,} {name}" for name, count in factors.items() if count != 1)
    return f"comes to {prod(factors.values()):,} {what} in all ({told}); at most {most:,}"
