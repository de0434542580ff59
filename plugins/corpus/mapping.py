"""Transcripts of a table by a mapping: what the corpus plugins `files` and `hub` have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cbtrun.plugin import Json, Message, Problem, Session, SpecError, Table, Transcript, told
from cbtrun.plugins.dialogue.therapist_prompt import THERAPIST_SYSTEM
from cbtrun.plugins.transcripts.mapping_schema import COLUMN, column_schema, mapping_problems, row_schema
from cbtrun.plugins.transcripts.session_rows import left_out, read_sessions

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
    problems = mapping_problems(table, columns, "transcript")
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
    sessions, problems = read_sessions(table, rows | {"columns": columns, "factors": {}, "labels": labels}, source)
    system = [Message(role="system", content=options["system"])] if options["system"] else []
    transcripts = []
    for one in sessions:
        number = _session_number(one, labels, source, problems)
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
    return MappedRows(transcripts, problems, left_out(sessions))


def _session_number(one: Session, labels: Mapping[str, str], source: Path, problems: list[Problem]) -> int:
    """The session's place in its course; 1 where the table does not say."""
    said = one.labels.get(NUMBER)
    try:
        return max(1, int(float(said))) if said else 1
    except (ValueError, OverflowError):
        what = f"transcript '{one.id}': {told(said)} in column '{labels[NUMBER]}' is not a number"
        problems += SpecError.at(source, what).problems
        return 1
