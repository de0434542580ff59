"""Numbers as readers see them, and results as sentences. Never a number without n and interval."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cbtrun.contract.records import Comparison, Effect, Interval, Test

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
}
EFFECT_NAMES = {
    "auc": "AUC",
    "hedges_g": "Hedges' g",
    "cliffs_delta": "Cliff's delta",
    "dz": "dz",
    "rank_biserial": "rank-biserial",
    "d_total": "d",
}

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


def interval_text(interval: Interval, estimate: float) -> str:
    """`95 % CI 4.1 to 12.3`, with the decimals of its estimate."""
    low, high = (points(end, decimals_of(estimate)) for end in (interval.low, interval.high))
    return f"{interval.level * 100:g} % CI {low} to {high}"


def effect_text(effect: Effect) -> str:
    """`AUC 0.84 [0.71, 0.92]`."""
    name = EFFECT_NAMES.get(effect.name, effect.name.replace("_", " "))
    if effect.interval is None:
        return f"{name} {effect.value:.2f} [no interval]"
    return f"{name} {effect.value:.2f} [{effect.interval.low:.2f}, {effect.interval.high:.2f}]"


def significance_text(test: Test) -> str:
    """`Mann-Whitney p = 0.003`, with the adjusted p where there is one."""
    text = f"{TEST_NAMES.get(test.name, test.name)} {p_value(test.p)}"
    return text if test.p_adjusted is None else f"{text}, adjusted {p_value(test.p_adjusted)}"


def sessions_text(comparison: Comparison) -> str:
    """How many sessions of each level the numbers rest on: `n = 28 and 12 sessions`."""
    return f"n = {_joined([str(group.n) for group in comparison.groups])} sessions"


def counts_text(comparison: Comparison) -> str:
    """How many units the numbers rest on: `n = 28 and 12`, `n = 20 pairs`."""
    unit = comparison.unit_of_analysis
    if unit.startswith("pair"):
        return f"n = {comparison.n} {'pair' if comparison.n == 1 else 'pairs'}"
    if unit.startswith("persona across"):
        return f"n = {comparison.n} {'persona' if comparison.n == 1 else 'personas'}"
    if unit == SESSIONS_AND_RATINGS:
        return sessions_text(comparison)
    sizes = [str(group.n if group.units is None else group.units) for group in comparison.groups]
    named = " personas" if unit.startswith("persona") else ""
    return f"n = {_joined(sizes)}{named}"


def _joined(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def difference_sentence(
    levels: Sequence[str],
    estimate: float | None,
    interval: Interval | None,
    counts: str,
    tests: Sequence[Test],
    effects: Sequence[Effect],
) -> str:
    """The comparison of two levels in words; `counts` says n (`n = 28 and 12`)."""
    first, second = levels
    if estimate is None:
        return f"`{first}` and `{second}` could not be compared ({counts})."
    text = f"{abs(estimate):.12g}" if estimate == 0 else points(abs(estimate))
    unit = "point" if text in ("1.0", "1") else "points"
    if estimate == 0:
        what = f"`{first}` and `{second}` had the same mean score"
    else:
        what = f"`{first}` scored {text} {unit} {'higher' if estimate > 0 else 'lower'} than `{second}`"
    within = interval_text(interval, estimate) if interval is not None else "no 95 % CI"
    details = [within, counts, *map(significance_text, tests[:1]), *map(effect_text, effects[:1])]
    return f"{what} ({'; '.join(details)})."
