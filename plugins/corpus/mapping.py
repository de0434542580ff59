"""Transcripts of a table by a mapping: what the corpus plugins `files` and `hub` have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cbtrun.plugin import Json, Message, Place, Problem, Table, Transcript, told
from cbtrun.plugins.dialogue.therapist_prompt import THERAPIST_SYSTEM
from cbtrun.plugins.transcripts.left_out import left_out
from cbtrun.plugins.transcripts.mapping_schema import COLUMN, column_schema, mapping_problems, row_schema
from cbtrun.plugins.transcripts.session_rows import read_sessions

UNPAIRED = "transcripts without a rejected turn, which make no pair"
NUMBER, PHASE, REJECTED = "session_number", "phase", "rejected"


def mapping_schema() -> Json:
    """Options that say which column is what."""
    return {
        "columns": {
            "type": "object",
            "description": "Our name -> the table's column. Either transcript, speaker and text (a row per turn, with "
            "order where rows are not in order), or messages (a row per transcript), or question and answer (a row per "
            "exchange). `a.b` is b inside the object a.",
            "additionalProperties": False,
            "properties": {
                **column_schema("transcript"),
                "persona": COLUMN | {"description": "Column that names the patient; without it each is of its own."},
                NUMBER: COLUMN | {"description": "Column with the session's number in the course, from 1."},
                PHASE: COLUMN | {"description": "Column with the phase of the course."},
                REJECTED: COLUMN
                | {
                    "description": "Column, in a row per transcript, with another last turn of the therapist that was "
                    "liked less: for `using: preference` under tune."
                },
            },
        },
        **row_schema(),
        "system": {
            "type": "string",
            "default": THERAPIST_SYSTEM,
            "description": "System prompt that each transcript begins with: what the tuned therapist will be told.",
        },
        "licence": {
            "type": "string",
            "default": "",
            "description": "Licence of the transcripts, or of the outputs of the model that wrote them; for the report.",
        },
    }


def column_problems(table: Table, options: Mapping[str, Any]) -> dict[str, str]:
    """Our name -> what is wrong with its column."""
    columns = options["columns"]
    problems = mapping_problems(table, columns, "transcript", options.get("speakers"))
    if "speakers" not in options and "answer" not in columns:
        problems.setdefault(
            "", "needs `speakers` beside it: the table's word for a speaker -> therapist, patient or skip"
        )
    return problems


class MappedRows(NamedTuple):
    """What a table gave."""

    transcripts: list[Transcript]
    """In the order in which they first appear."""
    problems: list[Problem]
    """What is wrong with the others."""
    left_out: dict[str, int]
    """Turns, or parts of turns, that were left out: why -> how many."""


def mapped(table: Table, options: Mapping[str, Any], source: Path) -> MappedRows:
    """The transcripts of a table."""
    columns = dict(options["columns"])
    labels = {name: columns.pop(name) for name in (NUMBER, PHASE) if name in columns}
    if "transcript" in columns:
        columns["session"] = columns.pop("transcript")
    rows = {name: options[name] for name in ("speakers", "where", "not_text") if name in options}
    besides: Counter[str] = Counter()
    given = rows | {"columns": columns, "factors": {}, "labels": labels}
    sessions, problems = read_sessions(table, given, source, besides)
    system = [Message(role="system", content=options["system"])] if options["system"] else []
    if problems := [*problems, *number_problems(table, labels.get(NUMBER), source)]:
        return MappedRows([], problems, {})
    transcripts = []
    for one in sessions:
        number = int(float(one.labels.get(NUMBER, "1")))
        transcripts.append(
            Transcript(
                id=one.id,
                persona=one.persona or one.id,
                session_number=number,
                phase=one.labels.get(PHASE, ""),
                rejected=one.labels.get(REJECTED) or None,
                messages=(*system, *(Message(role=turn.speaker, content=turn.text) for turn in one.turns)),
            )
        )
    if REJECTED in columns:
        besides[UNPAIRED] = sum(one.rejected is None for one in transcripts)
    counts = {why: count for why, count in left_out(sessions, besides).items() if count}
    return MappedRows(transcripts, problems, counts)


def number_problems(table: Table, column: str | None, source: Path) -> Iterator[Problem]:
    """Rows whose session number is none, each with its line."""
    if column is None:
        return
    for row in table.rows:
        cell = row.cells.get(column)
        if not _is_session_number(cell):
            shown = "empty" if cell is None or not str(cell).strip() else f"{told(cell)}"
            what = f"column '{column}' must hold the session's number in its course, from 1; it is {shown}"
            yield Problem(Place(row.file or str(source), row.line), "", what)


def _is_session_number(cell: object) -> bool:
    try:
        number = float(str(cell))
    except ValueError:
        return False
    return number >= 1 and number.is_integer()
