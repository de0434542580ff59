"""Columns that tell something of a whole session: levels of a factor, facts to keep, scores that people gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cbtrun.errors import SpecError
from cbtrun.intake.columns import MOST_COLUMNS, is_absent, is_number, is_plain, plain
from cbtrun.intake.directions import Directions
from cbtrun.intake.harmless import harmless
from cbtrun.tables.row import Row, Table

MOST_LEVELS, LONGEST_LEVEL = 6, 40
MOST_LABELS, LONGEST_LABEL = 5, 100
NO_FACT = (
    "url",
    "link",
    "licence",
    "license",
    "date",
    "time",
    "hash",
    "source",
    "path",
    "title",
    "upvotes",
    "views",
    "start",
    "end",
)
BETTER_FIRST = (
    ("high", "low"),
    ("good", "poor"),
    ("good", "bad"),
    ("positive", "negative"),
    ("yes", "no"),
    ("true", "false"),
    ("expert", "novice"),
    ("strong", "weak"),
    ("pass", "fail"),
    ("1", "0"),
)
"""Levels of which the first is the better one."""


@dataclass(frozen=True)
class Facts:
    """What else a file tells of its sessions."""

    factors: Mapping[str, str] = field(default_factory=dict)
    """Factor -> its column."""
    labels: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Factor -> its levels, the better or else the commoner first."""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Factor -> level -> sessions."""


def facts_of(table: Table, rows: Sequence[Row], columns: Mapping[str, str], wanted: str = "") -> Facts:
    """What columns tell of sessions. rows: those that the study reads. wanted: a column that is a factor, whatever it looks like."""
    factors: dict[str, str] = {}
    labels: dict[str, str] = {}
    levels: dict[str, tuple[str, ...]] = {}
    counts: dict[str, Mapping[str, int]] = {}
    for column, by_session in _constant(table, rows, columns):
        held = Counter(by_session.values())
        name = plain(column)
        if column == wanted or _is_factor(name, held):
            factors[name] = column
            levels[name] = ordered(held)
            counts[name] = held
        elif len(labels) < MOST_LABELS and max(map(len, held)) <= LONGEST_LABEL and len(held) > 1 and _may_tell(name):
            labels[name] = column
    return Facts(factors, labels, levels, counts)


def ordered(held: Mapping[str, int]) -> tuple[str, ...]:
    """Levels, the better one first where their words say it, else the commoner."""
    small = {level.casefold(): level for level in held}
    for better, worse in BETTER_FIRST:
        if {better, worse} == {*small}:
            return small[better], small[worse]
    return tuple(sorted(held, key=lambda level: (-held[level], level)))


def is_known_order(levels: Sequence[str]) -> bool:
    """Whether two levels say by their words which is the better one."""
    return tuple(level.casefold() for level in levels) in BETTER_FIRST


def told_of_sessions(table: Table, columns: Mapping[str, str]) -> Table:
    """The same rows with those columns alone that have one value in each session, and the session's."""
    kept = [column for column, _ in _constant(table, table.rows, columns)]
    return Table(tuple(one for one in table.columns if one in (*kept, columns.get("session"))), table.rows)


def _constant(table: Table, rows: Sequence[Row], columns: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Columns with one value in all rows of a session: (column, session -> value)."""
    taken = {*columns.values(), "file"}
    session = columns.get("session")
    for column in [one for one in table.columns[:MOST_COLUMNS] if one not in taken]:
        found: dict[str, str] = {}
        for number, row in enumerate(rows):
            value = row.cells.get(column)
            if is_absent(value):
                continue
            id_ = str(number) if session is None else str(row.cells.get(session))
            if (
                not is_plain(value)
                or len(str(value)) > 200
                or found.setdefault(id_, str(value).strip()) != str(value).strip()
            ):
                break
        else:
            if found:
                yield column, found


def _may_tell(name: str) -> bool:
    return not name.endswith(("id", "_url", "_path", "_at")) and name not in ("id", "idx", "index", *NO_FACT)


def _is_factor(name: str, held: Counter[str]) -> bool:
    """Few levels, of which two have sessions to compare; not numbers, which are scores, counts or ages, but for two of them."""
    numbers = sum(map(is_number, held))
    if not _may_tell(name) or not 2 <= len(held) <= MOST_LEVELS or (numbers and len(held) > 2):
        return False
    if max(map(len, held)) > LONGEST_LEVEL or len({*map(str.casefold, held)}) < len(held):
        return False
    return sorted(held.values())[-2] >= 2


def known_groups(found: Facts, asked: Directions, path: Path) -> Facts:
    """The one label that tells good sessions from poor ones, the better level first. Raises SpecError where none does."""
    factors = {name: column for name, column in found.factors.items() if asked.label in ("", column)}
    pairs = {name: found.levels[name] for name in factors if len(found.levels[name]) == 2}
    known = [name for name in pairs if is_known_order(pairs[name]) or asked.better in pairs[name]]
    if len(known) != 1:
        has = (
            "; ".join(
                f"{harmless(name, 30)}: {', '.join(map(harmless, levels))}" for name, levels in found.levels.items()
            )
            or "none"
        )
        what = (
            "which sessions are good and which are poor cannot be known. Say it: --label COLUMN --better LEVEL. "
            f"Columns with few levels: {has}"
        )
        raise SpecError.at(path, what)
    name = known[0]
    levels = pairs[name]
    if asked.better in levels:
        levels = (asked.better, next(one for one in levels if one != asked.better))
    return Facts({name: factors[name]}, found.labels, {name: levels}, {name: found.counts[name]})
