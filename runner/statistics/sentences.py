"""Comparisons as sentences: what designs share. A design of its own says by its hook `sentence` how it is put.

A sentence claims what its own test shows: the p in it belongs to the estimate in it. A test of means speaks of points, a
test of ranks of ranks; what was not shown is called that; where means and ranks point in two directions it says so.
"""

from __future__ import annotations

from collections.abc import Callable

from cbtrun.contract.records import Comparison, Effect
from cbtrun.statistics.simultaneous import ALPHA
from cbtrun.statistics.wording import (
    counts_text,
    decimals_of,
    effect_text,
    interval_text,
    level_name,
    p_value,
    points,
    tested_text,
)

Words = Callable[[Comparison], str]
"""What a design says of a comparison, without the sessions that were kept."""
RANK_TESTS = {"mann-whitney": "auc", "wilcoxon": "rank_biserial", "dunn": "", "nemenyi": ""}
"""Test of ranks -> the effect size that tells its direction; empty where none is made."""
RANK_EFFECTS = {"auc": 0.5, "rank_biserial": 0.0, "cliffs_delta": 0.0}
"""Effect size of ranks -> its value at no difference."""
NO_INTERVAL = "no interval"


def two_levels_sentence(comparison: Comparison, counts: str = "") -> str:
    """The difference of two levels with interval, test and effect. counts: n in words; by the unit of analysis if empty."""
    counts = counts or counts_text(comparison)
    first, second = level_names(comparison)
    if comparison.estimate is None:
        return f"`{first}` and `{second}` could not be compared ({counts})."
    if comparison.tests and comparison.tests[0].name in RANK_TESTS:
        return _of_ranks(comparison, first, second, counts)
    return _of_means(comparison, comparison.estimate, (first, second), counts)


def is_shown(comparison: Comparison) -> bool:
    """Whether the first test shows a difference, adjusted where its family is; without a test whether the interval does.

    A difference of means is not shown where its interval holds 0, nor where nothing tells.
    """
    if comparison.held_back:
        return False
    first, span = next(iter(comparison.tests), None), comparison.interval
    if first is not None and (first.p if first.p_adjusted is None else first.p_adjusted) >= ALPHA:
        return False
    if first is not None and first.name in RANK_TESTS:
        return True
    holds_none = span is not None and span.low <= 0 <= span.high
    return not holds_none and (first is not None or span is not None)


def level_names(comparison: Comparison) -> list[str]:
    """The levels as they stand in a sentence."""
    return [level_name(level, comparison.factor) for level in comparison.levels]


def _of_means(comparison: Comparison, estimate: float, levels: tuple[str, str], counts: str) -> str:
    first, second = levels
    size = f"{abs(estimate):.12g}" if estimate == 0 else points(abs(estimate))
    unit = "point" if size in ("1.0", "1") else "points"
    within = _within(comparison)
    effects = [one for one in comparison.effects if one.name not in RANK_EFFECTS] or list(comparison.effects)
    details = [counts, tested_text(comparison), *map(effect_text, effects[:1]), _other_way(comparison, "by ranks")]
    told = "; ".join(filter(None, details))
    if comparison.held_back:
        return f"`{first}` minus `{second}` was {points(estimate)} {unit}, not to be read by itself ({within}; {told})."
    if is_shown(comparison):
        higher = "higher" if estimate > 0 else "lower"
        return f"`{first}` scored {size} {unit} {higher} than `{second}` ({within}; {told})."
    if estimate == 0 and comparison.interval is None:
        return f"`{first}` and `{second}` had the same mean score ({within}; {told})."
    gap = f"difference {points(estimate)} {unit}"
    return f"`{first}` was not shown to score higher or lower than `{second}` ({gap}, {within}; {told})."


def _of_ranks(comparison: Comparison, first: str, second: str, counts: str) -> str:
    wanted = RANK_TESTS[comparison.tests[0].name]
    effect = next((one for one in comparison.effects if one.name == wanted), None)
    up = _direction(effect) if wanted else _sign_of_dunn(comparison)
    estimate = comparison.estimate or 0.0
    means = f"mean difference {points(estimate)} points, {_within(comparison)}"
    told = "; ".join(filter(None, [counts, tested_text(comparison), effect_text(effect) if effect else "", means]))
    told += f"; {other}" if (other := _other_way(comparison, "by means")) else ""
    if comparison.held_back:
        return f"Ranks of `{first}` and `{second}` are not to be read by themselves ({told})."
    if not is_shown(comparison):
        return f"`{first}` was not shown to stand higher or lower than `{second}` by ranks ({told})."
    if effect is not None and effect.name == "auc":
        share = f" in {100 * max(effect.value, 1 - effect.value):.0f} % of pairs, ties half"
    else:
        share = " by ranks"
    if up == 0:
        return f"`{first}` and `{second}` differed by ranks ({told})."
    return f"`{first}` stood {'higher' if up > 0 else 'lower'} than `{second}`{share} ({told})."


def _within(comparison: Comparison) -> str:
    estimate = comparison.estimate or 0.0
    return interval_text(comparison.interval, estimate) if comparison.interval is not None else NO_INTERVAL


def _direction(effect: Effect | None) -> int:
    """1 where an effect size of ranks has the first level higher, -1 lower, 0 neither or unknown."""
    middle = RANK_EFFECTS.get(effect.name) if effect is not None else None
    if effect is None or middle is None:
        return 0
    return (effect.value > middle) - (effect.value < middle)


def _sign_of_dunn(comparison: Comparison) -> int:
    """Dunn's statistic is signed; Nemenyi's is a distance, and tells no direction."""
    test = comparison.tests[0]
    return (test.statistic > 0) - (test.statistic < 0) if test.name == "dunn" else 0


def _other_way(comparison: Comparison, by: str) -> str:
    """That means and ranks point in two directions, where they do. by: what the sentence itself does not speak of."""
    estimate = comparison.estimate or 0.0
    effect = next((one for one in comparison.effects if one.name in RANK_EFFECTS), None)
    up = _direction(effect)
    if effect is None or points(estimate, decimals_of(estimate)) in ("0.00", "0.0") or up * estimate >= 0:
        return ""
    first = level_names(comparison)[0]
    if by == "by ranks":
        return f"by ranks the other way: `{first}` stood {'higher' if up > 0 else 'lower'}, {effect_text(effect)}"
    return f"by means the other way: `{first}` scored {'higher' if estimate > 0 else 'lower'}"


def all_levels_sentence(comparison: Comparison, counts: str = "") -> str:
    """Several levels at once: the statistic, its degrees of freedom, p and one effect. counts: as of two levels."""
    counts = counts or counts_text(comparison)
    names = ", ".join(f"`{level}`" for level in comparison.levels)
    if not comparison.tests:
        return f"The levels {names} of {comparison.factor} could not be compared ({counts})."
    what = "differ" if is_shown(comparison) else "were not shown to differ"
    facts = f"{statistic_text(comparison)}; {counts}"
    return f"The levels {names} of {comparison.factor} {what} ({facts})."


def statistic_text(comparison: Comparison) -> str:
    """The first test's statistic with its degrees of freedom and p: `F(2, 38) = 5.10, p = 0.011, adjusted p = 0.022 ...`."""
    test = comparison.tests[0]
    dfs = ", ".join(f"{df:.4g}" for df in (test.df, test.df_error) if df is not None)
    symbol = "F" if test.df_error is not None else "chi-squared"
    return f"{symbol}({dfs}) = {test.statistic:.2f}, {p_text(comparison)}"


def p_text(comparison: Comparison) -> str:
    """The first test's p, adjusted p and what holds it back, without its name."""
    text = tested_text(comparison)
    return text[text.index(p_value(comparison.tests[0].p)) :]


def interaction_sentence(comparison: Comparison) -> str:
    """Whether the difference of two levels depends on a further factor, whose levels these are."""
    first, second = (level_name(level, "") for level in comparison.moderated)
    what = f"the difference between `{first}` and `{second}`"
    by = comparison.factor
    if not comparison.tests:
        return f"Whether {what} depends on {by} could not be tested ({counts_text(comparison)})."
    says = f"{what} depends on {by}" if is_shown(comparison) else f"{what} was not shown to depend on {by}"
    facts = f"interaction {statistic_text(comparison)}; {counts_text(comparison)}"
    gap = ""
    if comparison.estimate is not None and comparison.interval is not None:
        gap = f"difference of differences {points(comparison.estimate)} points, {_within(comparison)}; "
    return f"{says[0].upper()}{says[1:]} ({gap}{facts})."


def usual_sentence(comparison: Comparison) -> str:
    """What is said where a design says nothing: of two levels their difference, of more whether they differ."""
    if comparison.moderated:
        return interaction_sentence(comparison)
    return two_levels_sentence(comparison) if len(comparison.levels) == 2 else all_levels_sentence(comparison)


def sentence_of(comparison: Comparison, words: Words = two_levels_sentence) -> str:
    """The result in plain words, with n and interval; of a subgroup or filter with its name in front."""
    text = interaction_sentence(comparison) if comparison.moderated else words(comparison)
    if not comparison.where:
        return text
    return f"Among sessions with {kept_text(comparison)}: {text}"


def kept_text(comparison: Comparison) -> str:
    """The sessions that a filter or subgroup keeps: `persona.risk none; arm cbt or none`."""
    return "; ".join(f"{name} {' or '.join(levels)}" for name, levels in comparison.where.items())
