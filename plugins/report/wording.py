"""Numbers as people read them: a true minus sign, brackets for intervals, never a number without its interval."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cbtrun.plugin import TEST_NAMES, Comparison, Effect, Interval, Test, decimals_of, level_name, level_text
from cbtrun.plugins.report.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from markupsafe import Markup

    from cbtrun.plugins.report.behind import Levels

_MINUS = re.compile(r"(?<![\w.\-])-(?=\d)")
_NUMBER = re.compile(r"(?<![\w.,\-])(?!(?<= of )[\d.]+ points)(−?\d+(?:[.,]\d+)*%?)(?![\w\-])(?! % CI)")
"""A number that stands for itself: not a part of a name, not the level of an interval, not the end of a scale."""
TESTS = {**TEST_NAMES, "welch": "Welch’s t", "mann-whitney": "Mann–Whitney", "wilcoxon": "Wilcoxon signed-rank"}
"""Test -> what papers call it, in typographic signs."""
EFFECT_NAMES = {
    "hedges_g": "Hedges’ g",
    "dz": "Cohen’s dz",
    "cohens_d": "Cohen’s d",
    "auc": "AUC",
    "cliffs_delta": "Cliff’s δ",
    "rank_biserial": "rank-biserial r",
    "eta_squared": "η²",
    "omega_squared": "ω²",
    "epsilon_squared": "ε²",
    "kendalls_w": "Kendall’s W",
    "odds_ratio": "odds ratio",
    "d_total": "d over the total SD",
}


def number(value: float | None, decimals: int = 1) -> str:
    """`−3.2`; an en dash where there is no value."""
    if value is None:
        return "–"
    text = f"{value:.{decimals}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def interval(value: Interval | None, decimals: int = 1) -> str:
    """`[−5.1, −1.3]`, or nothing."""
    return f"[{number(value.low, decimals)}, {number(value.high, decimals)}]" if value else ""


def with_interval(value: float | None, span: Interval | None, decimals: int = 1, *, levelled: bool = False) -> str:
    """`3.2 [1.1, 5.3]`; says so where a number has no interval, an en dash where there is no number.

    levelled: with the interval's level, `3.2 [1.1, 5.3] (90 %)`, where the heading does not say it.
    """
    if value is None:
        return number(None)
    told = f"{number(value, decimals)} {interval(span, decimals) or '[no interval]'}"
    return f"{told} ({level_text(span)})" if levelled and span else told


def interval_head(spans: Iterable[Interval | None]) -> str:
    """What a heading says of the intervals under it: `[95 % CI]`, or `[CI]` where they have several levels."""
    levels = {level_text(one) for one in spans if one is not None}
    return f"[{levels.pop()} CI]" if len(levels) == 1 else "[CI]" if levels else "[95 % CI]"


def has_levels(spans: Iterable[Interval | None]) -> bool:
    """Whether intervals have several levels, so that each must say its own."""
    return len({level_text(one) for one in spans if one is not None}) > 1


def bracket_words(one: Comparison) -> str:
    """What brackets beside a comparison's difference and first effect size are: `brackets are 95 % intervals`."""
    spans = [one.interval, *(size.interval for size in one.effects[:1])]
    levels = [level_text(span) for span in spans if span is not None]
    if len({*levels}) > 1:
        return (
            f"brackets are the {levels[0]} interval of the difference and the {levels[1]} interval of the effect size"
        )
    return f"brackets are {levels[0] if levels else '95 %'} intervals"


def probability(p: float | None) -> str:
    """`0.012`, `< 0.001`."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def effect_name(name: str) -> str:
    """`Hedges’ g`; with a word on correction where the size is corrected for the raters' unreliability."""
    plain_name = name.removesuffix("_reliable")
    told = EFFECT_NAMES.get(plain_name, plain_name.replace("_", " "))
    return f"{told}, corrected for unreliability" if plain_name != name else told


def effect(value: Effect) -> str:
    """`Hedges’ g 0.61 [0.02, 1.20]`; with the level of an interval that is another than 95 %."""
    other = value.interval is not None and level_text(value.interval) != "95 %"
    return f"{effect_name(value.name)} {with_interval(value.value, value.interval, 2, levelled=other)}"


def test_name(name: str) -> str:
    """What papers call a test; a name that nobody knows as words."""
    return TESTS.get(name, re.sub("[_-]", " ", name))


def test(value: Test) -> str:
    """`Welch’s t(37.1) = 2.31, p 0.026, adjusted p 0.052`."""
    dfs = [number(df, 1).removesuffix(".0") for df in (value.df, value.df_error) if df is not None]
    df = f"({', '.join(dfs)})" if dfs else ""
    adjusted = f", adjusted p {probability(value.p_adjusted)}" if value.p_adjusted is not None else ""
    return f"{test_name(value.name)}{df} = {number(value.statistic, 2)}, p {probability(value.p)}{adjusted}"


def contrast(value: Comparison) -> str:
    """`cbt − none`; the levels, where there are not two; of a test of interaction what it is between."""
    if value.moderated:
        return f"{' − '.join(value.moderated)} by {value.factor.replace('_', ' ')}"
    if len(value.levels) != 2:
        return ", ".join(value.levels)
    return " − ".join(level_name(level, value.factor) for level in value.levels)


def whole_contrast(value: Comparison) -> str:
    """`cbt − none (risk: none)`: the contrast with its subgroup, as figures name it."""
    return f"{contrast(value)}{subgroup(value)}"


def subgroup(value: Comparison) -> str:
    """` (risk: none)` for a comparison within a subgroup, else nothing."""
    kept = "; ".join(f"{name.replace('_', ' ')}: {', '.join(levels)}" for name, levels in value.where.items())
    return f" ({kept})" if kept else ""


def sentence(text: str, link: Callable[..., Markup] | None = None, sessions: Levels | None = None) -> Markup:
    """A sentence as markup: names in backticks set apart, true minus signs, and its numbers linked.

    link: the template's macro `behind`. sessions: the filter of its numbers, where the place that the sentence stands in
    has none; the whole of which it speaks (`of 120`) is all sessions then.
    """
    from markupsafe import Markup, escape

    shown: list[Markup] = []
    linked = 0
    for at, part in enumerate(re.split(r"`([^`]*)`", plain(text))):
        if at % 2:
            shown.append(Markup("<b>{}</b>").format(part))
            continue
        for place, piece in enumerate(_NUMBER.split(_MINUS.sub("−", part))):
            if link is None or place % 2 == 0:
                shown.append(escape(piece))
            elif sessions is None:
                shown.append(link(piece, stop=False))
            else:
                whole = str(shown[-1]).endswith(" of ")
                shown.append(link(piece, {} if whole else sessions, stop=linked == 0))
                linked += 1
    return Markup("").join(shown)


def breakable(text: str) -> Markup:
    """A number as markup that may break before its interval or bracket, and nowhere else."""
    from markupsafe import Markup

    parts = re.split(r" (?=[\[(])", plain(text))
    return Markup(" ").join(Markup('<span class="held">{}</span>').format(one) for one in parts)


def duration(seconds: float | None) -> str:
    """`3 min 20 s`; an en dash where it is not known."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def difference_decimals(estimate: float | None, decimals: int = 1) -> int:
    """Decimals that a difference and its interval are shown with: those of the sentence, and no fewer than asked for."""
    return decimals if estimate is None else max(decimals, decimals_of(estimate))


def decimals_for(kind: str) -> int:
    """Decimals that a mean is shown with: one for totals and subscales, two for single items."""
    return 2 if kind == "item" else 1
