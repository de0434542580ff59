"""Options that say which column of a table is what: the same for sessions and for corpora."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cbtrun.plugin import Json, Table, Writing, read_table
from cbtrun.plugins.transcripts.cells import has_column

COLUMN: Json = {"type": "string", "minLength": 1}
FILE = "file"
"""Column with the session's name, where each file is one session."""
WRITING = ("delimiter", "encoding", "records", "sheet", "file_name")
"""Options that say how files are written."""
OF_MESSAGES = ("role", "content")
"""Keys of a message, not columns."""


WRITTEN: Json = {
    "delimiter": {
        "type": "string",
        "minLength": 1,
        "maxLength": 1,
        "description": "What parts the columns of a CSV; found where it is not said.",
    },
    "encoding": {
        "type": "string",
        "pattern": "^[A-Za-z0-9_-]{2,30}$",
        "x-expected": "an encoding, e.g. windows-1252",
        "description": "Encoding of a text file, e.g. windows-1252; UTF-8, UTF-16 and UTF-32 are found.",
    },
}
"""Options that say how a file of any rows is written."""


def file_schema() -> Json:
    """Options that say which files are read, and how they are written."""
    return {
        "path": {
            "type": "string",
            "x-names": ["file", "folder", "files"],
            "description": "File of transcripts (.csv, .tsv, .json, .jsonl, .parquet, .xlsx, .txt, .docx, .srt, .vtt, .eaf, "
            ".eval; also .gz), or a folder, pattern (`talks/*.txt`) or .zip of files with one session each, whose name is the "
            "column `file`.",
        },
        **WRITTEN,
        "records": {
            "type": "string",
            "minLength": 1,
            "maxLength": 200,
            "description": "Where the records of a JSON document are: `sessions[]`, `data.sessions[].turns[]`. A record keeps "
            "the plain values of the objects around it.",
        },
        "sheet": {"type": "string", "minLength": 1, "description": "Sheet of an Excel workbook that has several."},
        "file_name": {
            "type": "string",
            "minLength": 3,
            "maxLength": 200,
            "description": "What the names of a folder's files tell: `{quality}_{number}` makes columns quality and number.",
        },
    }


def table_of(options: Mapping[str, Any]) -> Table:
    """The rows of the files that a block names."""
    said = {name: options[name] for name in WRITING if name in options}
    table = read_table(Path(options["path"]), Writing(**said))
    if FILE in table.columns or FILE not in options.get("columns", {}).values():
        return table
    name = Path(options["path"]).name.partition(".")[0]  # a table that is one session: it is called as its file
    return Table((FILE, *table.columns), tuple(replace(row, cells={FILE: name, **row.cells}) for row in table.rows))


def column_schema(whose: str) -> Json:
    """Our names of columns. whose: what a row belongs to, `session` or `transcript`."""
    return {
        whose: COLUMN
        | {"description": f"Column that says which {whose} a row belongs to; without it each row is one by itself."},
        "order": COLUMN | {"description": f"Column of numbers that puts the turns of a {whose} in order."},
        "speaker": COLUMN | {"description": "Column that says who speaks."},
        "text": COLUMN | {"description": "Column with what is said."},
        "messages": COLUMN | {"description": "Column with a list of messages: {role, content}, {from, value} ..."},
        "role": COLUMN | {"description": "Key of a message that says who speaks, where it is no usual one."},
        "content": COLUMN | {"description": "Key of a message with what is said, where it is no usual one."},
        "question": COLUMN | {"description": "Column with what the patient says, in a row per exchange."},
        "answer": COLUMN | {"description": "Column with what the therapist answers, in a row per exchange."},
    }


def row_schema() -> Json:
    """Options beside the columns: speakers, rows to keep, and what happens to what is no text."""
    return {
        "speakers": {
            "anyOf": [
                {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": {"enum": ["therapist", "patient", "skip", "text"]},
                },
                {"type": "array", "minItems": 2, "items": {"enum": ["therapist", "patient", "skip"]}},
            ],
            "description": "The file's word for a speaker -> `therapist`, `patient`, `skip` (e.g. for system messages; "
            'counted), or `text` for what goes on with the turn before: a word before a colon that is no speaker, or `""`, '
            "where nobody is named. Or a list, `[patient, therapist]`: who is the first to speak in each conversation, and who the second; without a column of "
            "speakers turns alternate. Needed unless rows are a question and an answer.",
        },
        "where": {
            "type": "object",
            "description": "Column -> the value that a row must have to be read, e.g. one annotator's rows.",
            "default": {},
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        },
        "not_text": {
            "enum": ["stop", "drop"],
            "default": "stop",
            "description": "What happens to a turn that is no text (null, a list, an object, NaN): `stop` names its row and "
            "runs nothing; `drop` leaves it out, and the session's flags count it by reason.",
        },
    }


def mapping_problems(table: Table, columns: Mapping[str, str], whose: str, speakers: object = None) -> dict[str, str]:
    """Our name -> what is wrong with its column; an empty name for what concerns all of them.

    speakers: as the study has them; a list needs no column of speakers.
    """
    has = f"it has: {', '.join(table.columns)}"
    alone = "messages" in columns or "answer" in columns
    problems = {}
    for name, column in columns.items():
        if name in OF_MESSAGES or has_column(table, column):
            continue
        if name == whose and alone and not _near(column, table):
            continue  # rows go by their number
        problems[name] = f"no column '{column}' in the file; {has}"
    forms = [form for form in ({"speaker", "text"}, {"messages"}, {"question", "answer"}) if form & {*columns}]
    if len(forms) != 1:
        problems[""] = (
            "takes either messages, or speaker and text, or question and answer; not both"
            if forms
            else f"needs speaker and text, or messages, or question and answer; has: {', '.join(columns)}"
        )
    elif missing := forms[0] - {*columns, *(["speaker"] if isinstance(speakers, list | tuple) else [])}:
        wanted = " and ".join(sorted(missing))
        problems[""] = f"needs {wanted}, or messages, or question and answer; has: {', '.join(columns)}"
    elif "order" in columns and alone:
        problems[""] = "takes either messages, or speaker and text; not both"
    elif whose not in columns and not alone:
        problems[""] = f"needs {whose}: the column that says which {whose} a turn belongs to"
    return problems


def _near(column: str, table: Table) -> bool:
    """Whether a column is called nearly so: then the name is misspelt, and the rows have ids."""
    from difflib import get_close_matches

    return bool(get_close_matches(column.casefold(), [one.casefold() for one in table.columns], 1, 0.6))
