"""Comparisons as sentences: what designs share. A design of its own says by its hook `sentence` how it is put."""

from __future__ import annotations

from collections.abc import Callable

from cbtrun.contract.records import Comparison
from cbtrun.statistics.wording import counts_text, difference_sentence, level_name, p_value

Words = Callable[[Comparison], str]
"""What a design says of a comparison, without the sessions that were kept."""


def two_levels_sentence(comparison: Comparison, counts: str = "") -> str:
    """The difference of two levels with interval, test and effect. counts: n in words; by the unit of analysis if empty."""
    counts = counts or counts_text(comparison)
    estimate, tests, effects = comparison.estimate, comparison.tests, comparison.effects
    return difference_sentence(level_names(comparison), estimate, comparison.interval, counts, tests, effects)


def level_names(comparison: Comparison) -> list[str]:
    """The levels as they stand in a sentence."""
    return [level_name(level, comparison.factor) for level in comparison.levels]


def all_levels_sentence(comparison: Comparison, counts: str = "") -> str:
    """Several levels at once: the statistic, its degrees of freedom, p and one effect. counts: as of two levels."""
    counts = counts or counts_text(comparison)
    names = ", ".join(f"`{level}`" for level in comparison.levels)
    if not comparison.tests:
        return f"The levels {names} of {comparison.factor} could not be compared ({counts})."
    test = comparison.tests[0]
    dfs = ", ".join(f"{df:.4g}" for df in (test.df, test.df_error) if df is not None)
    symbol = "F" if test.df_error is not None else "chi-squared"
    p = p_value(test.p) if test.p_adjusted is None else f"{p_value(test.p)}, adjusted {p_value(test.p_adjusted)}"
    differ = (test.p if test.p_adjusted is None else test.p_adjusted) < 0.05
    what = "differ" if differ else "were not shown to differ"
    facts = f"{symbol}({dfs}) = {test.statistic:.2f}, {p}; {counts}"
    return f"The levels {names} of {comparison.factor} {what} ({facts})."


def usual_sentence(comparison: Comparison) -> str:
    """What is said where a design says nothing: of two levels their difference, of more whether they differ."""
    return two_levels_sentence(comparison) if len(comparison.levels) == 2 else all_levels_sentence(comparison)


def sentence_of(comparison: Comparison, words: Words = two_levels_sentence) -> str:
    """The result in plain words, with n and interval; of a subgroup or filter with its name in front."""
    text = words(comparison)
    if not comparison.where:
        return text
    kept = "; ".join(f"{name} {' or '.join(levels)}" for name, levels in comparison.where.items())
    return f"Among sessions with {kept}: {text}"
