"""A file with the shape of its rows, under the separator and at the records that give it one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cbtrun.errors import SpecError
from cbtrun.intake.columns import cell
from cbtrun.intake.directions import Directions
from cbtrun.intake.harmless import harmless, quoted
from cbtrun.intake.look import Looked, look, separators
from cbtrun.intake.nested import at_records, records_in
from cbtrun.intake.persona_formats import person_columns
from cbtrun.intake.shape import RowShape, shape_of
from cbtrun.tables.row import Writing


@dataclass(frozen=True)
class Seen:
    """A file with its shape."""

    looked: Looked
    shape: RowShape | None
    said: tuple[str, ...] = ()


def opened(path: Path, asked: Directions, writing: Writing) -> Seen:
    """A file and its shape, by the separator and the records that give one."""
    try:
        looked = look(path, writing)
    except SpecError as error:
        marks = separators(error)
        fitting = [(mark, seen) for mark in marks if (seen := _under(path, asked, writing, mark)) is not None]
        if len(fitting) != 1:
            raise
        mark, seen = fitting[0]
        told = (
            f"A GUESS: columns are parted by {mark!r}, under which they have names that are known (--delimiter says it)"
        )
        return replace(seen, said=(told, *seen.said))
    return _with_shape(looked, asked)


def _under(path: Path, asked: Directions, writing: Writing, mark: str) -> Seen | None:
    try:
        seen = _with_shape(look(path, replace(writing, delimiter=mark)), asked)
    except SpecError:
        return None
    return seen if seen.shape or person_columns(seen.looked.table) else None


def _with_shape(looked: Looked, asked: Directions) -> Seen:
    shape = shape_of(looked.table, asked.columns)
    if shape is None and not looked.writing.records and (records := records_in(looked.table.rows, asked.columns)):
        table, writing = at_records(looked.path, looked.writing, records)
        looked = replace(looked, table=table, writing=writing)
        told = f"sessions are found at {harmless(writing.records)} inside the document"
        return Seen(looked, shape_of(table, asked.columns), (told,))
    return Seen(looked, shape)


def refuse_unknown_columns(looked: Looked, asked: Directions) -> None:
    """Raises SpecError for columns that the user names and the file has not."""
    of_messages = ("role", "content")
    wanted = [("column", theirs) for ours, theirs in asked.columns.items() if ours not in of_messages]
    wanted += [("where", column) for column in asked.where]
    wanted += [("label", asked.label)] if asked.label else []
    for option, column in wanted:
        if not any(cell(row, column) is not None for row in looked.table.rows):
            has = ", ".join(harmless(one, 30) for one in looked.table.columns[:12])
            raise SpecError.at(looked.path, f"--{option}: no column {quoted(column)}; it has: {has}")
