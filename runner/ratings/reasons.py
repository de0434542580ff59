"""Why a score is missing, as ratings say it, and the kinds that reasons are counted by."""

from __future__ import annotations

NOT_APPLICABLE = "not applicable"
TOO_LONG = "too long for the rater"
"""Of a whole session; what follows the colon says how long, and what is taken."""


def reason_kind(reason: str) -> str:
    """The part of a reason or flag that names its kind: `quote not found: "..."` -> `quote not found`.

    What follows the colon may quote a transcript, which has no place in counts.
    """
    return reason.split(":", 1)[0].strip() or "no reason given"
