"""What a reader is shown for a name of the study: one place, so that every figure and sentence says the same."""

from __future__ import annotations

from cbtrun.plugin import Comparison, level_name
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.wording import contrast, number, subgroup


def contrast_label(one: Comparison) -> str:
    """`cbt − none (risk: none)`: the contrast as figures name it."""
    return f"{contrast(one)}{subgroup(one)}"


def level_label(level: str, factor: str) -> str:
    """A level as figures name it."""
    return level_name(level, factor)


def scale_label(given: ReportInput, outcome: str) -> str:
    """`0 to 66 points`: the scale of an outcome; empty where it has no end."""
    name, _, short = outcome.partition(".")
    low, high = given.rated[name].ends.get(short, (None, None)) if name in given.rated else (None, None)
    if low is None or high is None:
        return ""
    return f"{number(low).removesuffix('.0')} to {number(high).removesuffix('.0')} points"
