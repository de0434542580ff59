"""A corrected comparison in words: the sentence speaks of the corrected difference, and what corrected it stands behind."""

from __future__ import annotations

from cbtrun.contract.records import Comparison, Correction, Measured
from cbtrun.statistics.sentences import level_names
from cbtrun.statistics.wording import interval_text, points


def lead_of(one: Comparison) -> str:
    """What stands before the claim: by whom it is corrected, or that it is the judge's alone and why; else nothing."""
    told = one.corrected
    if told is None:
        return ""
    if told.withheld:
        return f"by the judge alone, not corrected by {told.by} ({told.withheld})"
    return f"corrected by what people gave {told.personas} of {told.personas_in_all} personas ({told.by})"


def behind(one: Comparison) -> str:
    """The difference by the judge alone and by people alone, and whom the judge favours; empty where nothing is corrected."""
    told = one.corrected
    if told is None or told.withheld or not (told.judge and told.people and told.bias):
        return ""
    alone = f"By the judge alone it is {measured_text(told.judge)}, by people alone {measured_text(told.people)}"
    return f"{alone}; {_favour(one, told.bias)}."


def _favour(one: Comparison, bias: Measured) -> str:
    first, second = level_names(one)
    span = bias.interval
    favoured = first if bias.value > 0 else second
    gap = measured_text(bias.model_copy(update={"value": abs(bias.value), "interval": _turned(bias)}))
    if span is not None and span.low <= 0 <= span.high:
        return f"that the judge favours one of them was not shown ({measured_text(bias)} towards `{first}`)"
    return f"the judge favours `{favoured}` by {gap}"


def _turned(bias: Measured) -> object:
    span = bias.interval
    if span is None or bias.value >= 0:
        return span
    return span.model_copy(update={"low": -span.high, "high": -span.low})


def measured_text(found: Measured) -> str:
    """`4.2 points (95 % CI 1.1 to 7.3)`."""
    within = interval_text(found.interval, found.value) if found.interval is not None else "no interval"
    unit = "point" if points(abs(found.value)) in ("1", "1.0") else "points"
    return f"{points(found.value)} {unit} ({within})"


def seen_by(told: Correction) -> str:
    """The scope of a corrected claim."""
    return "as the person who rated sees it" if told.raters == 1 else f"as the {told.raters} people who rated see it"
