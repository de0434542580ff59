"""A results paragraph ready to paste, in the manner of the APA: every declared contrast, shown or not, with n and interval."""

from __future__ import annotations

from cbtrun.plugin import Comparison, Test, is_shown, level_name, level_text
from cbtrun.plugins.report.first_forest import declared_contrasts
from cbtrun.plugins.report.first_notes import what_is_missing
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.result_tables import counted, titles_by_outcome
from cbtrun.plugins.report.scales import with_end
from cbtrun.plugins.report.wording import difference_decimals, effect_name, number, subgroup, test_name

LETTERS = {"t": "t", "welch": "t", "corrected-t": "t", "wilcoxon": "W", "mann-whitney": "U"}


def results_text(given: ReportInput) -> list[str]:
    """Sentences of a results section; empty where nothing was compared."""
    found = declared_contrasts(given)
    return [*(_told(given, one) for one in found), what_is_missing(given).text] if found else []


def _told(given: ReportInput, one: Comparison) -> str:
    title = with_end(given, one.outcome, titles_by_outcome(given).get(one.outcome, one.outcome))
    within = subgroup(one)
    numbers = "; ".join(
        filter(
            None,
            [
                _difference(one),
                _corrected(one),
                *(_tested(test) for test in one.tests[:1]),
                _effect(one),
                f"n = {counted(one)}",
            ],
        )
    )
    names = [level_name(level, one.factor) for level in one.levels]
    if len(names) != 2 or one.estimate is None:
        shown = "differed" if is_shown(one) else "were not shown to differ"
        return f"On {title}{within}, {', '.join(names)} {shown} ({numbers})."
    if not is_shown(one) or one.margin is not None:
        held = f"; it counts as not shown, since {one.held_back}" if one.held_back else ""
        return f"On {title}{within}, {names[0]} and {names[1]} were not shown to differ ({numbers}){held}."
    way = "higher" if one.estimate > 0 else "lower"
    return f"On {title}{within}, {names[0]} scored {way} than {names[1]} ({numbers})."


def _corrected(one: Comparison) -> str:
    """That the difference is the judge's corrected by people, with the judge's own; or that it is the judge's alone."""
    told = one.corrected
    if told is None or told.judge is None:
        return ""
    if told.withheld:
        return f"by the judge alone, not corrected: {told.withheld}"
    own = _difference(one.model_copy(update={"estimate": told.judge.value, "interval": told.judge.interval}))
    whom = f"people’s ratings of {told.personas} of {told.personas_in_all} personas"
    return f"corrected by {whom}; by the judge alone {own.removeprefix('mean difference = ')}"


def _difference(one: Comparison) -> str:
    if one.estimate is None:
        return ""
    decimals = difference_decimals(one.estimate)
    span = one.interval
    told = f"mean difference = {number(one.estimate, decimals)}"
    if span is None:
        return f"{told}, no interval"
    return f"{told}, {level_text(span)} CI [{number(span.low, decimals)}, {number(span.high, decimals)}]".replace(
        " %", "%"
    )


def _tested(test: Test) -> str:
    df = ", ".join(number(one, 1).removesuffix(".0") for one in (test.df, test.df_error) if one is not None)
    letter = LETTERS.get(test.name, test_name(test.name))
    p = (
        apa_p("p", test.p)
        if test.p_adjusted is None
        else f"{apa_p('p', test.p)}, {apa_p('adjusted p', test.p_adjusted)}"
    )
    return f"{letter}{f'({df})' if df else ''} = {number(test.statistic, 2)}, {p}"


def apa_p(name: str, p: float) -> str:
    """`p = .012`, `p < .001`: without the zero that cannot be another digit."""
    return f"{name} < .001" if p < 0.001 else f"{name} = {p:.3f}".replace("= 0.", "= .")


def _effect(one: Comparison) -> str:
    if not one.effects:
        return ""
    size = one.effects[0]
    span = size.interval
    told = f"{effect_name(size.name)} = {number(size.value, 2)}"
    return f"{told} [{number(span.low, 2)}, {number(span.high, 2)}]" if span else told
