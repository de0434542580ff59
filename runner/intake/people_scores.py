"""Scores that people gave: a table of them, or columns beside the sessions, and the rubric whose items they are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cbtrun.errors import SpecError
from cbtrun.intake.columns import LOOKED_AT, RATERS, SESSION, cells, is_number, named, plain
from cbtrun.intake.harmless import counted, harmless
from cbtrun.ratings.rubric import Rubric
from cbtrun.ratings.rubric_file import read_rubric
from cbtrun.scores.totals import is_summed, outcome_names
from cbtrun.tables.row import Table

ITEM = ("item", "criterion", "criteria", "dimension", "aspect", "measure", "question", "metric")
SCORE = ("score", "rating", "value", "points", "likert", "label")
_AROUND = re.compile(r"^(human|expert|rater|mean|avg|ctrs|cts|ctsr|cts_r|miti|item)_|_(score|rating|points|mean)$")


@dataclass(frozen=True)
class PeopleScores:
    """What people scored, and how `cbtrun agree` is told."""

    rubric: str
    columns: Mapping[str, str]
    """Our name (`session`, `rater`, `item`, `score`, an item's id, `total`) -> the file's column."""
    words: str

    def options(self) -> str:
        """The options of `cbtrun agree` that read it."""
        pairs = [f"{ours}={theirs}" for ours, theirs in self.columns.items() if ours != theirs]
        return " ".join(f"--column {_shell(pair)}" for pair in pairs)


def _shell(word: str) -> str:
    from shlex import quote

    return quote(harmless(word, 100))


def rubrics_in(folders: Sequence[Path]) -> dict[str, Rubric]:
    """Every rubric that plugins offer, the CTRS first."""
    paths = sorted(
        (path for folder in folders for path in folder.glob("*.yaml")), key=lambda one: (one.stem != "ctrs", one.stem)
    )
    found: dict[str, Rubric] = {}
    for path in paths:
        try:
            found.setdefault(path.stem, read_rubric(path))
        except SpecError:
            continue
    return found


def people_scores(table: Table, rubrics: Mapping[str, Rubric], session: str = "") -> PeopleScores | None:
    """What people scored in a table; none where it has no scores of a rubric. session: its column, where it is known."""
    ids = (
        [session]
        if session
        else [one for one in named(table.columns, SESSION) if len(cells(table.rows, one)) == len(table.rows)]
    )
    if not ids:
        return None
    raters = [one for one in table.columns if any(word in plain(one) for word in RATERS) and one != ids[0]]
    about = {"session": ids[0], **({"rater": raters[0]} if raters else {})}
    return _long(table, rubrics, about) or _wide(table, rubrics, about)


def _long(table: Table, rubrics: Mapping[str, Rubric], about: Mapping[str, str]) -> PeopleScores | None:
    """A row an item."""
    items, scores = named(table.columns, ITEM), named(table.columns, SCORE)
    if not items or not scores:
        return None
    words = {str(value) for value in cells(table.rows[:LOOKED_AT], items[0])}
    best = max(rubrics, key=lambda name: len(words & {*_scored(rubrics[name])}))
    if not words & {*_scored(rubrics[best])}:
        return None
    told = f"people's scores, a row an item: {counted(len(words), 'item')} of rubric {best}, {_people(table, about)}"
    return PeopleScores(best, {**about, "item": items[0], "score": scores[0]}, told)


def _wide(table: Table, rubrics: Mapping[str, Rubric], about: Mapping[str, str]) -> PeopleScores | None:
    """A column an item, or totals alone."""
    numbers = [
        one for one in table.columns if (held := cells(table.rows[:LOOKED_AT], one)) and all(map(is_number, held))
    ]
    fitting = {
        name: _items(rubric, [one for one in numbers if one not in about.values()]) for name, rubric in rubrics.items()
    }
    best = max(fitting, key=lambda name: len(fitting[name]))
    if not fitting[best]:
        return None
    scored = fitting[best]
    told = f"people's scores, a column an item: {', '.join([*scored][:6])} of rubric {best}, {_people(table, about)}"
    return PeopleScores(best, {**about, **scored}, told)


def _people(table: Table, about: Mapping[str, str]) -> str:
    sessions = counted(len({str(value) for value in cells(table.rows, about["session"])}), "session")
    raters = len({str(value) for value in cells(table.rows, about["rater"])}) if "rater" in about else 1
    return f"{sessions}, {counted(raters, 'rater')}"


def _scored(rubric: Rubric) -> list[str]:
    return [*(item.id for item in rubric.items), *(name for name in outcome_names(rubric) if is_summed(rubric, name))]


def _items(rubric: Rubric, columns: Sequence[str]) -> dict[str, str]:
    """Item, subscale or total of a rubric -> the column that is called so."""
    names = {id_: id_ for id_ in _scored(rubric)} | {plain(item.name): item.id for item in rubric.items}
    found: dict[str, str] = {}
    for column in columns:
        bare = plain(column)
        for _ in range(3):
            bare = _AROUND.sub("", bare)
        if id_ := names.get(bare):
            found.setdefault(id_, column)
    return found
