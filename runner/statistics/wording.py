"""Numbers as readers see them: never a number without n and interval."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from cbtrun.contract.records import Comparison, Effect, Group, Interval, Test

TEST_NAMES = {
    "mann-whitney": "Mann-Whitney",
    "welch": "Welch",
    "t": "paired t",
    "wilcoxon": "Wilcoxon",
    "tukey": "Tukey",
    "games-howell": "Games-Howell",
    "dunn": "Dunn",
    "nemenyi": "Nemenyi",
    "satterthwaite": "mixed model t",
    "satterthwaite-f": "mixed model F",
    "tost": "two one-sided tests",
    "rm-anova": "repeated-measures ANOVA",
    "welch-anova": "Welch's ANOVA",
    "anova": "ANOVA",
    "friedman": "Friedman",
    "kruskal-wallis": "Kruskal-Wallis",
    "hotelling": "Hotelling's T-squared",
    "type-3": "type III F",
    "proportional-odds": "Wald",
    "interaction": "interaction",
    "corrected-t": "t over personas that people rated",
}
"""Test -> what papers call it."""
EFFECT_NAMES = {
    "auc": "AUC",
    "hedges_g": "Hedges' g",
    "cliffs_delta": "Cliff's delta",
    "dz": "dz",
    "rank_biserial": "rank-biserial",
    "d_total": "d",
    "odds_ratio": "odds ratio",
    "kendalls_w": "Kendall's W",
    "eta_squared": "partial eta squared",
    "epsilon_squared": "epsilon squared",
}
"""Effect size -> what papers call it."""

SESSIONS_AND_RATINGS = "session, by its single ratings"
"""Unit of analysis of a model that takes in every rating."""


def level_name(level: str, factor: str) -> str:
    """A level as it stands in a sentence: a number says of what, `courses 58`."""
    return f"{factor} {level}" if re.fullmatch(r"-?\d+(\.\d+)?", level) else level


def decimals_of(difference: float) -> int:
    """Decimals of a difference in points and of its interval: one, two where it is smaller than a point."""
    return 1 if abs(difference) >= 1 else 2


def points(value: float, decimals: int | None = None) -> str:
    """A value in points, with as many decimals as a difference of its size; never `-0.0`."""
    text = f"{value:.{decimals_of(value) if decimals is None else decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def p_value(p: float) -> str:
    """`p = 0.012`, or `p < 0.001`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def level_text(interval: Interval) -> str:
    """The level of an interval: `95 %`, `90 %`, `98.33 %`."""
    return f"{interval.level * 100:.4g} %"


def interval_text(interval: Interval, estimate: float) -> str:
    """`95 % CI 4.1 to 12.3`, with the decimals of its estimate."""
    low, high = (points(end, decimals_of(estimate)) for end in (interval.low, interval.high))
    return f"{level_text(interval)} CI {low} to {high}"


def effect_text(effect: Effect) -> str:
    """`AUC 0.84 [0.71, 0.92]`; with the level where it is another than 95 %."""
    name = EFFECT_NAMES.get(effect.name, effect.name.replace("_", " "))
    if effect.interval is None:
        return f"{name} {effect.value:.2f} [no interval]"
    span = effect.interval
    other = "" if round(span.level, 6) == 0.95 else f"{level_text(span)} CI "
    return f"{name} {effect.value:.2f} {other}[{span.low:.2f}, {span.high:.2f}]"


def significance_text(test: Test) -> str:
    """`Mann-Whitney p = 0.003`, with the adjusted p where there is one."""
    text = f"{TEST_NAMES.get(test.name, test.name)} {p_value(test.p)}"
    return text if test.p_adjusted is None else f"{text}, adjusted {p_value(test.p_adjusted)}"


def tested_text(comparison: Comparison) -> str:
    """The first test with its p and what its family makes of it: adjusted p with its interval, or what holds it back.

    `paired t p = 0.030, adjusted p = 0.090, 98.33 % CI -1.1 to 8.2 over a family of 3`. Empty without a test.
    """
    if not comparison.tests:
        return ""
    first = comparison.tests[0]
    alone = comparison.family == 1 and not comparison.held_back
    text = significance_text(first.model_copy(update={"p_adjusted": None}) if alone else first)
    span, estimate = comparison.interval_adjusted, comparison.estimate
    if span is not None and estimate is not None and not alone:
        text += f", {interval_text(span, estimate)}"
    if first.p_adjusted is not None and comparison.family and not alone:
        text += f" over a family of {comparison.family}"
    return f"{text}, held back: {comparison.held_back}" if comparison.held_back else text


def sessions_text(comparison: Comparison) -> str:
    """How many sessions of each level the numbers rest on: `n = 28 and 12 sessions`, and what is missing."""
    return f"{_sessions(comparison)}{missing_text(comparison)}"


def counts_text(comparison: Comparison) -> str:
    """How many units the numbers rest on, and what is missing by level.

    `n = 28 and 12`, `n = 7 of 12 pairs; 5 sessions of `cbt` have no score, 0 of `none``.
    """
    return f"{_units_text(comparison)}{missing_text(comparison)}"


def _units_text(comparison: Comparison) -> str:
    unit = comparison.unit_of_analysis
    whole = comparison.possible if comparison.possible is not None and comparison.possible > comparison.n else None
    n = f"{comparison.n} of {whole}" if whole is not None else str(comparison.n)
    one = (whole or comparison.n) == 1
    if unit.startswith("pair"):
        return f"n = {n} {'pair' if one else 'pairs'}"
    if unit.startswith("persona across"):
        return f"n = {n} {'persona' if one else 'personas'}"
    if unit == SESSIONS_AND_RATINGS:
        return _sessions(comparison)
    sizes = [str(group.n if group.units is None else group.units) for group in comparison.groups]
    named = " personas" if unit.startswith("persona") else ""
    return f"n = {_joined(sizes)}{named}"


def _sessions(comparison: Comparison) -> str:
    return f"n = {_joined([str(group.n) for group in comparison.groups])} sessions"


def _joined(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def missing_text(comparison: Comparison) -> str:
    """`; 5 sessions of `cbt` have no score, 0 of `none``; empty where every session has one."""
    return _by_level(comparison, lambda group: group.unscored, ("has no score", "have no score")) + _by_level(
        comparison, _excluded, ("is excluded", "are excluded")
    )


def _excluded(group: Group) -> int:
    return sum(count for reason, count in group.reasons.items() if reason.startswith("excluded"))


def _by_level(comparison: Comparison, count: Callable[[Group], int], verbs: tuple[str, str]) -> str:
    counts = [(count(group), level_name(group.level, comparison.factor)) for group in comparison.groups]
    if not any(missing for missing, _ in counts):
        return ""
    (first, level), *others = counts
    told = f"; {first} session{'' if first == 1 else 's'} of `{level}` {verbs[first != 1]}"
    return told + "".join(f", {missing} of `{name}`" for missing, name in others)
