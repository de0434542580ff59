"""What raters entered, as tables: scores for `cbtrun agree` and analyses, choices between pairs, times, and who rated how."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.errors import SpecError, StageError
from cbtrun.files.csv_cells import csv_text
from cbtrun.files.plain_files import open_plain
from cbtrun.files.run_folder import write_atomically
from cbtrun.humans.entries import (
    FOLDER,
    LARGEST_FILE,
    ChangeError,
    Entries,
    append_lines,
    checked_change,
    entries_file,
    now,
    read_entries,
)
from cbtrun.humans.preference_pairs import arm_of
from cbtrun.humans.task import TRAINING, Task, task_of

if TYPE_CHECKING:
    from cbtrun.humans.sheet import Sheet
    from cbtrun.humans.task import Settings
    from cbtrun.ratings.rubric import Rubric

RATINGS = ("sheet", "session", "rater", "item", "score", "comment", "evidence", "position", "seconds", "code", "at")
PREFERENCES = ("sheet", "pair", "rater", "choice", "session_a", "session_b", "arm_a", "arm_b", "preferred_session", "preferred_arm", "left", "why", "seconds", "at")  # fmt: skip
RATERS = ("sheet", "rater", "consent_at", "consent_digest", "items_scored", "items_asked", "training_items", "training_within_one", "seconds", "breaks", "break_seconds", "first", "last", "order")  # fmt: skip


@dataclass(frozen=True)
class Rated:
    """One rater's entries on the sheet."""

    rater: str
    entries: Entries

    @property
    def agreed(self) -> bool:
        """Whether the rater agreed to the consent text, and has not taken it back."""
        return bool(self.entries.values.get("consent"))

    @property
    def order(self) -> list[str]:
        """Codes of the sessions in the order that the rater saw last."""
        told = self.entries.headers[-1].get("order", []) if self.entries.headers else []
        return [code for code in told if isinstance(code, str)] if isinstance(told, list) else []

    def seconds(self, screen: str) -> float:
        """Time on a screen."""
        value = self.entries.values.get(f"seconds/{screen}", 0)
        return value if isinstance(value, int | float) else 0


def all_rated(run_folder: Path, sheet: Sheet) -> list[Rated]:
    """Every rater with a file on this sheet, by code."""
    paths = sorted((run_folder / FOLDER / sheet.id).glob("*.jsonl"))
    return [Rated(path.stem, read_entries(path)) for path in paths]


def write_export(run_folder: Path, sheet: Sheet, rubric: Rubric, settings: Settings) -> Iterator[str]:
    """Write ratings.csv, preferences.csv and raters.csv of a sheet into the run folder; gives lines that say what.

    Who did not agree to the consent text, or took it back, is left out and told.
    """
    rated = all_rated(run_folder, sheet)
    if not rated:
        raise StageError(f"{run_folder / FOLDER / sheet.id}: nobody has rated this sheet yet")
    there = [one for one in rated if one.agreed]
    tables: dict[str, tuple[tuple[str, ...], list[list[object]]]] = {
        "ratings.csv": (RATINGS, [row for one in there for row in _ratings(one, sheet, rubric)]),
        "raters.csv": (RATERS, [_rater(one, sheet, rubric, settings) for one in there]),
    }
    if settings.pairs:
        tables["preferences.csv"] = (PREFERENCES, [row for one in there for row in _preferences(one, sheet, settings)])
    for one in rated:
        count = sum(1 for row in tables["ratings.csv"][1] if row[2] == one.rater and row[4] != "")
        yield (
            f"{one.rater}: {count} of {len(sheet.drawn) * len(rubric.items)} items scored"
            if one.agreed
            else f"{one.rater}: left out, has not agreed to the consent text"
        )
    for name, (columns, rows) in tables.items():
        write_atomically(run_folder / FOLDER / name, csv_text(columns, rows))
        yield f"wrote {run_folder / FOLDER / name}"
    yield from _preferred(tables.get("preferences.csv", ((), []))[1])


def _ratings(one: Rated, sheet: Sheet, rubric: Rubric) -> Iterator[list[object]]:
    values, order = one.entries.values, one.order
    for drawn in sheet.drawn:
        for item in rubric.items:
            place = f"{drawn.code}/{item.id}"
            quotes = values.get(f"quotes/{place}")
            yield [
                *(sheet.id, drawn.session.id, one.rater, item.id),
                *(str(values.get(f"score/{place}", "")), str(values.get(f"comment/{place}", ""))),
                json.dumps(quotes, ensure_ascii=False) if quotes else "",
                *(order.index(drawn.code) + 1 if drawn.code in order else "", round(one.seconds(drawn.code))),
                *(drawn.code, one.entries.times.get(f"score/{place}", "")),
            ]


def _preferences(one: Rated, sheet: Sheet, settings: Settings) -> Iterator[list[object]]:
    values = one.entries.values
    left = one.entries.headers[-1].get("left", {}) if one.entries.headers else {}
    for pair in settings.pairs:
        choice = str(values.get(f"choice/{pair.code}", ""))
        if choice:
            chosen = {"a": pair.a, "b": pair.b}.get(choice)
            yield [
                *(sheet.id, pair.code, one.rater, choice, pair.a.id, pair.b.id, arm_of(pair.a), arm_of(pair.b)),
                *(chosen.id if chosen else "", arm_of(chosen) if chosen else ""),
                *(str(left.get(pair.code, "")), str(values.get(f"why/{pair.code}", ""))),
                *(round(one.seconds(pair.code)), one.entries.times.get(f"choice/{pair.code}", "")),
            ]


def _rater(one: Rated, sheet: Sheet, rubric: Rubric, settings: Settings) -> list[object]:
    values, times = one.entries.values, one.entries.times
    places = [f"score/{drawn.code}/{item.id}" for drawn in sheet.drawn for item in rubric.items]
    trained = list(_trained(values, settings)) if values.get("feedback") else []
    breaks = [pause for pause in values.get("breaks", []) if isinstance(pause, list) and len(pause) == 2]
    return [
        *(sheet.id, one.rater, times.get("consent", ""), one.entries.headers[-1].get("consent_digest", "") if one.entries.headers else ""),
        *(sum(1 for place in places if values.get(place, "") != ""), len(places)),
        *(len(trained), sum(trained)),
        round(sum(one.seconds(place.removeprefix("seconds/")) for place in values if place.startswith("seconds/"))),
        *(len(breaks), sum(pause[1] for pause in breaks)),
        *(min(times.values(), default=""), max(times.values(), default=""), " ".join(one.order)),
    ]  # fmt: skip


def _trained(values: Mapping[str, Any], settings: Settings) -> Iterator[bool]:
    """Of each item of the training session: whether its score lies within a point of the agreed one."""
    for item, agreed in settings.training.agreed.items() if settings.training else ():
        own = str(values.get(f"score/{TRAINING}/{item}", ""))
        try:
            yield abs(float(own) - float(agreed.score)) <= 1
        except ValueError:
            yield own == agreed.score


def _preferred(rows: list[list[object]]) -> Iterator[str]:
    """How often which arm was preferred, for each two arms."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows:
        first, second = sorted((str(row[6]), str(row[7])))
        tally = counts.setdefault((first, second), {first: 0, second: 0, "": 0})
        tally[str(row[9])] += 1
    for (first, second), tally in sorted(counts.items()):
        yield f"preferred: {first} {tally[first]}, {second} {tally[second]}, no difference {tally['']} (of {sum(tally.values())} choices)"


def take_record(run_folder: Path, sheet: Sheet, rubric: Rubric, settings: Settings, file: Path) -> str:
    """Put what a page that was a file recorded beside what the server keeps; gives a line that says so.

    Every entry passes the same checks as one from the server's page. Raises SpecError for a file that is no record of this
    sheet, and StageError where the rater has entries already.
    """
    told = _record(file)
    rater, sheet_id, entries = told.get("rater"), told.get("sheet"), told.get("entries")
    if not isinstance(rater, str) or not isinstance(sheet_id, str) or not isinstance(entries, dict):
        raise SpecError.at(file, "not a record that a rating page saved")
    if sheet_id.partition("-")[0] != sheet.id:
        raise SpecError.at(file, f"belongs to another sheet ({sheet_id[:40]}); this run's is {sheet.id}")
    path = entries_file(run_folder, sheet.id, rater)
    if path.exists():
        raise StageError(f"{path}: '{rater}' has entries already; nothing was taken")
    task = task_of(sheet, rubric, rater, settings)
    try:
        lines = [checked_change(task, {"place": place, "value": value}) for place, value in entries.items()]
    except ChangeError as error:
        raise SpecError.at(file, f"holds what this page cannot have saved: {error}") from None
    at = now()
    header = {**task.header, "order": _shown(told.get("order"), task), "left": _sides(told.get("left"), task)}
    append_lines(path, [{"at": at, **header}, *({"at": at, "place": place, "value": value} for place, value in lines)])
    return f"took {len(lines)} entries of {rater} from {file}"


def _record(file: Path) -> dict[str, Any]:
    with os.fdopen(open_plain(file, os.O_RDONLY, shared=True), "rb") as opened:
        content = opened.read(LARGEST_FILE + 1)
    try:
        told = json.loads(content) if len(content) <= LARGEST_FILE else None
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or told.get("cbtrun-rating") != 1:
        raise SpecError.at(file, "not a record that a rating page saved")
    return told


def _shown(told: object, task: Task) -> list[str]:
    """The order as the file has it, where it is one of this sheet's sessions."""
    return (
        [str(code) for code in told] if isinstance(told, list) and sorted(map(str, told)) == sorted(task.order) else []
    )


def _sides(told: object, task: Task) -> dict[str, str]:
    sides = told if isinstance(told, dict) else {}
    return {pair.code: sides[pair.code] for pair in task.pairs if sides.get(pair.code) in ("a", "b")}
