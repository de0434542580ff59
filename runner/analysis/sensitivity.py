"""Beside complete cases: how far the estimate could move over everything that is missing."""

from __future__ import annotations

from collections.abc import Sequence

from cbtrun.analysis.table import Row
from cbtrun.contract.records import Bounds


def worst_case_of_groups(first: Sequence[Row], second: Sequence[Row]) -> Bounds | None:
    """Bounds of the difference of means of persona means, every missing value at the worst and the best end.

    None where nothing is missing, a group has no session, or the scale has no end.
    Source: Horowitz & Manski 2000, "Nonparametric analysis of randomized experiments with missing data".
    """
    filled = sum(row.value is None for row in (*first, *second))
    if not filled:
        return None
    ends = [_mean_of_units(rows, lowest) for rows in (first, second) for lowest in (True, False)]
    if any(end is None for end in ends):
        return None
    low_first, high_first, low_second, high_second = (end for end in ends if end is not None)
    return Bounds(low=low_first - high_second, high=high_first - low_second, values=filled)


def worst_case_of_pairs(first: Sequence[Row], second: Sequence[Row]) -> Bounds | None:
    """Bounds of the mean within-persona difference over all personas that have sessions at both levels."""
    if all(row.value is not None for row in (*first, *second)):
        return None
    sides = [_by_persona(rows) for rows in (first, second)]
    lows, highs, filled = [], [], 0
    for persona in sorted(sides[0].keys() & sides[1].keys()):
        own = [side[persona] for side in sides]
        ends = [_mean_of_units(rows, lowest) for rows in own for lowest in (True, False)]
        if any(end is None for end in ends):
            return None
        low_first, high_first, low_second, high_second = (end for end in ends if end is not None)
        lows.append(low_first - high_second)
        highs.append(high_first - low_second)
        filled += sum(row.value is None for rows in own for row in rows)
    if not filled:
        return None
    return Bounds(low=sum(lows) / len(lows), high=sum(highs) / len(highs), values=filled)


def _by_persona(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.persona is not None:
            found.setdefault(row.persona, []).append(row)
    return found


def _mean_of_units(rows: Sequence[Row], lowest: bool) -> float | None:
    """Mean of persona means with missing values at one end; none where that end is unknown."""
    members: dict[tuple[bool, str], list[float]] = {}
    for row in rows:
        end = row.lowest if lowest else row.highest
        if end is None:
            return None
        key = (row.persona is not None, row.persona if row.persona is not None else row.session)
        members.setdefault(key, []).append(end)
    if not members:
        return None
    return sum(sum(values) / len(values) for _, values in sorted(members.items())) / len(members)
