"""Each comparison as one sentence, by its design."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cbtrun.contract.records import Comparison
from cbtrun.statistics.wording import counts_text, difference_sentence, interval_text, level_name, p_value, points


def sentence_of(comparison: Comparison) -> str:
    """The result in plain words, with n and interval; of a subgroup or filter with its name in front."""
    text = _SENTENCES.get(comparison.design, _of_two_levels)(comparison)
    if not comparison.where:
        return text
    kept = "; ".join(f"{name} {' or '.join(levels)}" for name, levels in comparison.where.items())
    return f"Among sessions with {kept}: {text}"


def _of_two_levels(found: Comparison) -> str:
    counts = counts_text(found)
    return difference_sentence(_names(found), found.estimate, found.interval, counts, found.tests, found.effects)


def _names(found: Comparison) -> list[str]:
    return [level_name(level, found.factor) for level in found.levels]


def _of_all_levels(found: Comparison) -> str:
    """Several levels at once: the statistic, its degrees of freedom, p and one effect."""
    names = ", ".join(f"`{level}`" for level in found.levels)
    if not found.tests:
        return f"The levels {names} of {found.factor} could not be compared ({counts_text(found)})."
    test = found.tests[0]
    dfs = ", ".join(f"{df:.4g}" for df in (test.df, test.df_error) if df is not None)
    symbol = "F" if test.df_error is not None else "chi-squared"
    p = p_value(test.p) if test.p_adjusted is None else f"{p_value(test.p)}, adjusted {p_value(test.p_adjusted)}"
    differ = (test.p if test.p_adjusted is None else test.p_adjusted) < 0.05
    what = "differ" if differ else "were not shown to differ"
    facts = f"{symbol}({dfs}) = {test.statistic:.2f}, {p}; {counts_text(found)}"
    return f"The levels {names} of {found.factor} {what} ({facts})."


def _of_equivalence(found: Comparison) -> str:
    first, second = _names(found)
    if found.estimate is None or not found.tests or found.margin is None:
        return f"Whether `{first}` and `{second}` are equivalent could not be tested ({counts_text(found)})."
    test = found.tests[0]
    p = test.p if test.p_adjusted is None else test.p_adjusted
    verdict = "are equivalent" if p < 0.05 else "were not shown to be equivalent"
    shown = p_value(test.p) if test.p_adjusted is None else f"{p_value(test.p)}, adjusted {p_value(test.p_adjusted)}"
    within = interval_text(found.interval, found.estimate) if found.interval is not None else "no interval"
    return (
        f"`{first}` and `{second}` {verdict} within {points(found.margin)} points (difference "
        f"{points(found.estimate)}, {within}; {counts_text(found)}; TOST {shown})."
    )


def _of_odds(found: Comparison) -> str:
    first, second = _names(found)
    odds = next((effect for effect in found.effects if effect.name == "odds_ratio"), None)
    if odds is None:
        return f"`{first}` and `{second}` could not be compared by proportional odds ({counts_text(found)})."
    within = f"95 % CI {odds.interval.low:.2f} to {odds.interval.high:.2f}" if odds.interval else "no 95 % CI"
    p = f"; {p_value(found.tests[0].p)}" if found.tests else ""
    return (
        f"The odds of a higher score were {odds.value:.2f} times as large for `{first}` as for `{second}` "
        f"({within}; {counts_text(found)}{p})."
    )


def _of_interaction(found: Comparison) -> str:
    if found.estimate is None:
        return _of_all_levels(found)
    within = interval_text(found.interval, found.estimate) if found.interval is not None else "no 95 % CI"
    p = f"; {p_value(found.tests[0].p)}" if found.tests else ""
    return (
        f"The difference of differences ({found.factor}) was {points(found.estimate)} points "
        f"({within}; {counts_text(found)}{p})."
    )


_SENTENCES: Mapping[str, Callable[[Comparison], str]] = {
    "omnibus": _of_all_levels,
    "factorial-omnibus": _of_all_levels,
    "equivalence": _of_equivalence,
    "ordinal": _of_odds,
    "factorial-interaction": _of_interaction,
}
