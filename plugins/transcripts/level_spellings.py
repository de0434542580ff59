"""Levels of a factor that are one number in two spellings (`1` and `1.0`): two groups to us, one to whoever wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from cbtrun.plugin import Place, Problem, Table


def spelling_problems(table: Table, factors: Mapping[str, str], path: Path) -> Iterator[Problem]:
    """One problem for each second spelling, at the first row that has it. factors: factor -> its column."""
    for factor, column in factors.items():
        first: dict[float, str] = {}
        told: set[str] = set()
        for row in table.rows:
            level = str(row.cells.get(column))
            if (number := _number(level)) is None:
                continue
            other = first.setdefault(number, level)
            if other != level and level not in told:
                told.add(level)
                what = (
                    f"column '{column}': '{level}' and '{other}' are one number, and would be two levels of "
                    f"'{factor}'; write it in one way, or name them as words (v1, v1.0)"
                )
                yield Problem(Place(row.file or str(path), row.line), "", what)


def _number(level: str) -> float | None:
    """The number that a level is; none for words, and for what equals nothing (nan)."""
    try:
        number = float(level)
    except ValueError:
        return None
    return number if number == number else None
