"""The scale that an outcome's points are on, in the words of tables, axes and sentences."""

from __future__ import annotations

from dataclasses import replace

from cbtrun.plugin import on_their_scales, scale_words
from cbtrun.plugins.report.inputs import ReportInput

Ends = tuple[float | None, float | None]


def ends_of_outcome(given: ReportInput, outcome: str) -> Ends:
    """Lowest and highest value that an outcome can have; none where there is no bound."""
    name, _, short = outcome.partition(".")
    return given.rated[name].ends.get(short, (None, None)) if name in given.rated else (None, None)


def points_of(given: ReportInput, outcome: str) -> str:
    """What an axis of the outcome counts: `points of 66`, `points` where it has no end."""
    return f"points {scale_words(ends_of_outcome(given, outcome))}".rstrip()


def with_end(given: ReportInput, outcome: str, title: str) -> str:
    """An outcome's title with the end of its scale: `CTRS total (of 66)`."""
    words = scale_words(ends_of_outcome(given, outcome))
    return f"{title} ({words})" if words else title


def scale_label(given: ReportInput, outcome: str) -> str:
    """`0 to 66 points`: the scale of an outcome; empty where it has no end."""
    low, high = ends_of_outcome(given, outcome)
    return "" if low is None or high is None else f"{low:g} to {high:g} points".replace("-", "−")


def on_scales(given: ReportInput) -> ReportInput:
    """The input with sentences that say of how many points theirs are."""
    ends = {one.outcome: ends_of_outcome(given, one.outcome) for one in given.results.comparisons}
    return replace(given, results=on_their_scales(given.results, ends))
