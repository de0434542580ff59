"""Which sessions a rater was not asked about, by reason: told when a run ends, since the others were rated."""

from __future__ import annotations

from cbtrun.ratings.reasons import TOO_LONG, reason_kind
from cbtrun.results.records import OutcomeSummary, Results

WHOLE_SESSION = (TOO_LONG,)
"""Kinds of reasons that are about a session and not about an item of it."""


def left_out(results: Results) -> tuple[str, ...]:
    """A line for each rating set and reason: `rating set 'ctrs': 1 of 3 sessions is too long for the rater ...`."""
    return tuple(line for name, rated in results.ratings.items() for line in _in_set(name, rated.outcomes))


def _in_set(name: str, outcomes: tuple[OutcomeSummary, ...]) -> list[str]:
    for one in outcomes[:1]:
        everybody = one.groups.get("all", ())[:1]
        return [
            f"rating set '{name}': {count} of {group.n + group.missing} sessions unscored: {reason}"
            for group in everybody
            for reason, count in sorted(group.reasons.items())
            if reason_kind(reason) in WHOLE_SESSION
        ]
    return []
