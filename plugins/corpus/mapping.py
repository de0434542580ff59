"""Transcripts of a table by a mapping: what the corpus plugins `files` and `hub` have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cbtrun.plugin import Json, Message, Place, Problem, Table, Transcript, told
from cbtrun.plugins.dialogue.therapist_prompt import THERAPIST_SYSTEM
from cbtrun.plugins.transcripts.import_sessions import read_sessions

NUMBER, PHASE, REJECTED = "session_number", "phase", "rejected"


def mapping_schema() -> Json:
    """Options that say which column is what."""
    column = {"type": "string", "minLength": 1}
    return {
        "columns": {
            "type": "object",
            "description": "Our name -> the table's column. Either transcript, speaker and text (a row per turn, with "
            "order where rows are not in order), or transcript and messages (a row per transcript).",
            "required": ["transcript"],
            "additionalProperties": False,
            "properties": {
                "transcript": column | {"description": "Column that says which transcript a row belongs to."},
                "order": column | {"description": "Column of numbers that puts the turns of a transcript in order."},
                "speaker": column | {"description": "Column that says who speaks."},
                "text": column | {"description": "Column with what is said."},
                "messages": column | {"description": "Column with a list of {role, content} messages."},
                "persona": column | {"description": "Column that names the patient; without it each is of its own."},
                NUMBER: column | {"description": "Column with the session's number in the course, from 1."},
                PHASE: column | {"description": "Column with the phase of the course."},
                REJECTED: column
                | {
                    "description": "Column, in a row per transcript, with another last turn of the therapist that was "
                    "liked less: for `using: preference` under tune."
                },
            },
        },
        "speakers": {
            "type": "object",
            "description": "The table's word for a speaker -> `therapist`, `patient`, or `skip`.",
            "minProperties": 1,
            "additionalProperties": {"enum": ["therapist", "patient", "skip"]},
        },
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


def column_problems(table: Table, columns: Mapping[str, str]) -> dict[str, str]:
    """Our name -> what is wrong with its column."""
    has = f"it has: {', '.join(table.columns)}"
    problems = {name: f"no column '{column}'; {has}" for name, column in columns.items() if column not in table.columns}
    if "messages" not in columns and not {"speaker", "text"} <= set(columns):
        problems[""] = "needs speaker and text, or messages"
    return problems


def mapped(table: Table, options: Mapping[str, Any], source: Path) -> tuple[list[Transcript], list[Problem]]:
    """The transcripts of a table in the order in which they first appear, and what is wrong with the others."""
    columns = dict(options["columns"])
    labels = {name: columns.pop(name) for name in (NUMBER, PHASE, REJECTED) if name in columns}
    columns["session"] = columns.pop("transcript")
    as_sessions = {"columns": columns, "speakers": options["speakers"], "factors": {}, "labels": labels}
    sessions, problems = read_sessions(table, as_sessions, source)
    if problems := [*problems, *number_problems(table, labels.get(NUMBER), source)]:
        return [], problems
    system = [Message(role="system", content=options["system"])] if options["system"] else []
    return [
        Transcript(
            id=one.id,
            persona=one.persona or one.id,
            session_number=int(float(one.labels.get(NUMBER, "1"))),
            phase=one.labels.get(PHASE, ""),
            rejected=one.labels.get(REJECTED) or None,
            messages=(*system, *(Message(role=turn.speaker, content=turn.text) for turn in one.turns)),
        )
        for one in sessions
    ], problems


def number_problems(table: Table, column: str | None, source: Path) -> Iterator[Problem]:
    """Rows whose session number is none, each with its line."""
    if column is None:
        return
    for row in table.rows:
        cell = row.cells.get(column)
        if not _is_session_number(cell):
            shown = "empty" if cell is None or not str(cell).strip() else f"{told(cell)}"
            what = f"column '{column}' must hold the session's number in its course, from 1; it is {shown}"
            yield Problem(Place(str(source), row.line), "", what)


def _is_session_number(cell: object) -> bool:
    try:
        number = float(str(cell))
    except ValueError:
        return False
    return number >= 1 and number.is_integer()
