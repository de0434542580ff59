"""Why a report has no number where one was to be: what has no score, in the words that its first screen shows."""

from __future__ import annotations

from cbtrun.plugin import failure_groups
from cbtrun.plugins.report.inputs import ReportInput

MOST = 8
"""Parts that are told one by one; the counts of every outcome stand in the tables."""


def unscored_words(given: ReportInput) -> list[str]:
    """A sentence for each part without a score, and one for each kind of failure behind it."""
    told = [f"{str(one)[:1].upper()}{str(one)[1:]}." for one in given.unscored[:MOST]]
    if len(given.unscored) > MOST:
        told.append(f"{len(given.unscored) - MOST} more parts have no score: see the tables.")
    sets = {f"ratings.{one.set}" for one in given.unscored}
    behind = [one for one in failure_groups(given.failures) if one.stage in sets | {"sessions"}] if sets else []
    return [*told, *(f"Failed: {one}." for one in behind[:MOST])]
