"""Rows that say everything several times, once for each annotator, and the value of `where` that takes them once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cbtrun.intake.columns import RATERS, is_absent, is_plain, plain
from cbtrun.intake.harmless import counted, quoted
from cbtrun.tables.row import Row, Table

MOST_VALUES = 200


class Chosen(NamedTuple):
    """What `where` takes."""

    where: Mapping[str, str]
    said: str
    left_out: str


def chosen_rows(table: Table, columns: Mapping[str, str]) -> Chosen | None:
    """The annotator whose rows are taken; none where nothing is said twice.

    Where no column tells them apart none is taken: whoever reads the file says what is wrong with it.
    """
    repeats = _repeats(table.rows, columns)
    if not repeats:
        return None
    first, second = repeats[0]
    differing = [
        one for one in table.columns if one not in columns.values() and first.cells.get(one) != second.cells.get(one)
    ]
    able = [column for column in differing if _tells_apart(table.rows, columns, column)]
    able.sort(key=lambda column: not any(word in plain(column) for word in RATERS))
    return _choice(table.rows, columns, able[0]) if able else None


def _key(row: Row, columns: Mapping[str, str]) -> tuple[str, ...]:
    names = ("session", "order", "speaker") if "order" in columns else ("session", "speaker", "text")
    return tuple(str(row.cells.get(columns[name])) for name in names)


def _repeats(rows: Sequence[Row], columns: Mapping[str, str]) -> list[tuple[Row, Row]]:
    """Two rows that are one utterance; without an order, only where most of a file is said again."""
    seen: dict[tuple[str, ...], Row] = {}
    found = [(first, row) for row in rows if (first := seen.setdefault(_key(row, columns), row)) is not row]
    return found if "order" in columns or len(found) * 3 > len(rows) else []


def _tells_apart(rows: Sequence[Row], columns: Mapping[str, str], column: str) -> bool:
    """Whether a session has each utterance once under one value of a column."""
    values = {str(row.cells.get(column)) for row in rows}
    if len(values) > MOST_VALUES or not all(
        is_plain(value) for row in rows if not is_absent(value := row.cells.get(column))
    ):
        return False
    if "order" not in columns:
        return _same_under_two(rows, columns, column)
    return max(Counter((str(row.cells.get(column)), *_key(row, columns)) for row in rows).values()) == 1


def _same_under_two(rows: Sequence[Row], columns: Mapping[str, str], column: str) -> bool:
    """Whether a session is the same, word by word, under two values of a column."""
    said: dict[tuple[str, str], list[tuple[str, ...]]] = defaultdict(list)
    for row in rows:
        said[str(row.cells.get(columns["session"])), str(row.cells.get(column))].append(_key(row, columns))
    talks = [tuple(talk) for talk in said.values() if len(talk) > 1]
    return len({*talks}) < len(talks)


def _choice(rows: Sequence[Row], columns: Mapping[str, str], column: str) -> Chosen:
    """The value that has most sessions, then most rows, then stands first."""
    sessions: dict[str, set[str]] = defaultdict(set)
    counts: Counter[str] = Counter()
    for row in rows:
        if not is_absent(value := row.cells.get(column)):
            sessions[str(value)].add(str(row.cells.get(columns["session"])))
            counts[str(value)] += 1
    best = max(counts, key=lambda value: (len(sessions[value]), counts[value]))
    every = len(set().union(*sessions.values()))
    others = counted(len(counts) - 1, "other")
    said = (
        f"each utterance stands there for several values of {quoted(column)}; {quoted(best, 24)} is taken, who has "
        f"{len(sessions[best]):,} of {counted(every, 'session')} (--where {column}=VALUE takes another)"
    )
    missing = every - len(sessions[best])
    left = f"{counted(len(rows) - counts[best], 'row')} of {others} in {quoted(column)}"
    return Chosen(
        {column: best}, said, left + (f", with {counted(missing, 'session')} that only they have" if missing else "")
    )
