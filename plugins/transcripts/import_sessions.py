"""`import`: sessions that already exist, read from a file by a mapping given in the study.

CSV and Parquet hold one row per turn, or one row per session with a list of messages; JSON lines likewise.
Nothing is guessed: a speaker, column or session that does not fit is a problem with its line, before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import Place, Problem, Session, SpecError, Table, Turn, digest, hookimpl, read_table, spoken_in, told
from cbtrun.plugin import TableRow as Row
from cbtrun.plugins.dialogue.checks import checked, options_with
from cbtrun.plugins.fidelity.finding import Case
from cbtrun.plugins.raters.control_sessions import KINDS, with_controls
from cbtrun.plugins.transcripts.level_spellings import spelling_problems

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, Plan, PlanContext, StageContext

ENGLISH = ("en",)
MOST_PROBLEMS = 20
"""A file with one mistake in every row should not fill the screen."""


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `sessions: {using: import}`."""
    column = {"type": "string", "minLength": 1}
    if stage != "sessions":
        return None
    return {
        "type": "object",
        "required": ["path", "columns", "speakers"],
        "additionalProperties": False,
        "properties": {
            "path": {
                "type": "string",
                "x-names": "file",
                "description": "File of transcripts: .csv or .parquet (a row per turn, or per session), or .jsonl.",
            },
            "columns": {
                "type": "object",
                "description": "Our name -> the file's column. Either session, speaker and text (one row per turn, "
                "with order where rows are not in order), or session and messages (one row per session).",
                "required": ["session"],
                "additionalProperties": False,
                "properties": {
                    "session": column | {"description": "Column that says which session a row belongs to."},
                    "order": column | {"description": "Column of numbers that puts the turns of a session in order."},
                    "speaker": column | {"description": "Column that says who speaks."},
                    "text": column | {"description": "Column with what is said."},
                    "messages": column | {"description": "Column with a list of {role, content} messages."},
                    "persona": column | {"description": "Column that names the patient, for paired designs."},
                },
            },
            "speakers": {
                "type": "object",
                "description": "The file's word for a speaker -> `therapist`, `patient`, or `skip` (e.g. for system messages).",
                "minProperties": 1,
                "additionalProperties": {"enum": ["therapist", "patient", "skip"]},
            },
            "factors": {
                "type": "object",
                "description": "Factor -> the column that holds its level, for the analysis.",
                "default": {},
                "additionalProperties": column,
            },
            "controls": {
                "type": "array",
                "items": {"enum": list(KINDS)},
                "uniqueItems": True,
                "default": [],
                "description": "Controls to derive from each session, with factor `control` (`none` for the sessions "
                "themselves): shuffled turns, the therapist's turns swapped for another session's, homework taken out; and as "
                "`placebo` the same session again.",
            },
            "labels": {
                "type": "object",
                "description": "Label -> column: facts to keep with each session, e.g. its topic.",
                "default": {},
                "additionalProperties": column,
            },
            **options_with(False),
        },
    }


@hookimpl
def check_block(context: BlockContext) -> list[Problem] | None:
    """The file is there, has the mapped columns, and every session is well formed."""
    if context.stage != "sessions":
        return None
    path = Path(context.options["path"])
    try:
        table = read_table(path)
    except SpecError as error:
        return list(error.problems)
    problems = _column_problems(context, table)
    if problems:
        return problems
    _, problems = read_sessions(table, context.options, path)
    problems += spelling_problems(table, context.options["factors"], path)
    return problems[:MOST_PROBLEMS] or _level_problems(context, table)


@hookimpl
def run_sessions(context: StageContext) -> list[Session]:
    """Every session of the file, in the order in which they first appear."""
    path = Path(context.options["path"])
    sessions, problems = read_sessions(read_table(path), context.options, path)
    if problems:
        raise SpecError(problems)
    shown = with_controls(sessions, context.options.get("controls", ()), context.seed)
    return [checked(_with_language(session), Case(session.turns), context.options) for session in shown]


def _with_language(session: Session) -> Session:
    """The session, flagged where it is not held in English: raters and checks may know English alone."""
    spoken = spoken_in([turn.text for turn in session.turns])
    if not spoken.is_beyond(ENGLISH):
        return session
    return session.model_copy(update={"flags": (*session.flags, f"language: {spoken.words}")})


@hookimpl
def plan_block(context: PlanContext) -> Plan | None:
    """As many sessions as the file holds, and no calls."""
    from cbtrun.plugin import Plan

    path = Path(context.options["path"])
    sessions = len(_grouped(read_table(path), context.options["columns"]["session"]))
    return Plan(units=sessions * (1 + len(context.options.get("controls", ()))))


def read_sessions(table: Table, options: Mapping[str, Any], path: Path) -> tuple[list[Session], list[Problem]]:
    """The sessions of a table, and what is wrong with those that are not well formed."""
    sessions: list[Session] = []
    problems: list[Problem] = []
    for id_, rows in _grouped(table, options["columns"]["session"]).items():
        try:
            sessions.append(_session(id_, rows, options, path))
        except SpecError as error:
            problems += error.problems
    return sessions, problems


def _grouped(table: Table, column: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in table.rows:
        groups.setdefault(str(row.cells.get(column)), []).append(row)
    return groups


def _session(id_: str, rows: list[Row], options: Mapping[str, Any], path: Path) -> Session:
    columns = options["columns"]
    said = _messages(id_, rows, columns, path) if "messages" in columns else _rows_said(id_, rows, columns, path)
    turns = [_turn(id_, line, speaker, text, options["speakers"], path) for line, speaker, text in said]
    spoken = tuple(turn for turn in turns if turn is not None and turn.text)
    empty = sum(turn is not None and not turn.text for turn in turns)
    for speaker in ("therapist", "patient"):
        if not any(turn.speaker == speaker for turn in spoken):
            raise SpecError.at(path, f"session '{id_}': the {speaker} never speaks", line=rows[0].line)
    facts = {name: _constant(id_, rows, column, path) for name, column in _facts(options).items()}
    persona = _named(id_, rows, columns["persona"], path) if "persona" in columns else None
    return Session(
        id=id_,
        persona=persona,
        draw=digest([id_, [[turn.speaker, turn.text] for turn in spoken]]),
        factors={name: facts["factor", name] for name in options["factors"]},
        labels={name: facts["label", name] for name in options["labels"]},
        turns=spoken,
        ended="imported",
        flags=(f"empty turns left out: {empty}",) if empty else (),
    )


def _facts(options: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    factors = {("factor", name): column for name, column in options["factors"].items()}
    return factors | {("label", name): column for name, column in options["labels"].items()}


def _rows_said(id_: str, rows: list[Row], columns: Mapping[str, str], path: Path) -> list[tuple[int, str, str]]:
    """(line, speaker, text) for each row, in order."""
    if "order" in columns:
        rows = sorted(rows, key=lambda row: _number(id_, row, columns["order"], path))
    return [(row.line, str(row.cells[columns["speaker"]]), str(row.cells[columns["text"]] or "")) for row in rows]


def _messages(id_: str, rows: list[Row], columns: Mapping[str, str], path: Path) -> list[tuple[int, str, str]]:
    """(line, role, content) for each message of the session's single row."""
    if len(rows) > 1:
        raise SpecError.at(path, f"session '{id_}' stands on several lines", line=rows[1].line)
    row, messages = rows[0], rows[0].cells.get(columns["messages"])
    fits = isinstance(messages, Sequence) and all(isinstance(one, Mapping) and "role" in one for one in messages)
    if not fits or not isinstance(messages, Sequence):
        what = f"session '{id_}': column '{columns['messages']}' must be a list of {{role, content}}"
        raise SpecError.at(path, what, line=row.line)
    return [(row.line, str(one["role"]), str(one.get("content") or "")) for one in messages]


def _turn(id_: str, line: int, speaker: str, text: str, speakers: Mapping[str, str], path: Path) -> Turn | None:
    part = speakers.get(speaker)
    if part is None:
        known = ", ".join(speakers)
        raise SpecError.at(
            path, f"session '{id_}': unknown speaker {told(speaker)}; `speakers` maps: {known}", line=line
        )
    clean = text.encode("utf-8", "replace").decode("utf-8").strip()
    return None if part == "skip" else Turn.model_validate({"speaker": part, "text": clean})


def _number(id_: str, row: Row, column: str, path: Path) -> float:
    try:
        return float(row.cells[column])
    except (TypeError, ValueError):
        what = f"session '{id_}': {told(row.cells[column])} in column '{column}' is not a number"
        raise SpecError.at(path, what, line=row.line) from None


def _constant(id_: str, rows: list[Row], column: str, path: Path) -> str:
    """The one value that a column has in all rows of a session."""
    values = dict.fromkeys(str(row.cells.get(column)) for row in rows)
    if len(values) > 1:
        what = (
            f"session '{id_}': column '{column}' has several values: {', '.join(told(value, '') for value in values)}"
        )
        raise SpecError.at(path, what, line=rows[0].line)
    return next(iter(values))


def _named(id_: str, rows: list[Row], column: str, path: Path) -> str | None:
    """The patient that a session names; a blank cell, null or NaN is nobody known, not one person of them all."""
    cells = [row.cells.get(column) for row in rows]
    if all(cell is None or cell != cell or not str(cell).strip() for cell in cells):
        return None
    return _constant(id_, rows, column, path)


def _column_problems(context: BlockContext, table: Table) -> list[Problem]:
    columns = context.options["columns"]
    wanted = [*columns.items()]
    problems = [
        context.problem(f"no column '{column}' in the file; it has: {', '.join(table.columns)}", "columns", name)
        for name, column in wanted
        if column not in table.columns
    ]
    for block in ("factors", "labels"):
        problems += [
            context.problem(f"no column '{column}' in the file; it has: {', '.join(table.columns)}", block, name)
            for name, column in context.options[block].items()
            if column not in table.columns
        ]
    missing = {"speaker", "text"} - set(columns)
    if "messages" not in columns and missing:
        what = f"needs {' and '.join(sorted(missing))}, or messages; has: {', '.join(columns)}"
        problems.append(context.problem(what, "columns"))
    if "messages" in columns and {"speaker", "text", "order"} & set(columns):
        problems.append(context.problem("takes either messages, or speaker and text; not both", "columns"))
    return problems


def _level_problems(context: BlockContext, table: Table) -> list[Problem]:
    """Levels that an analysis names and no session has."""
    problems = []
    for name, analysis in context.study.analyses.items():
        factor = analysis.factor
        column = context.options["factors"].get(factor)
        known = sorted({str(row.cells.get(column)) for row in table.rows}) if column else []
        problems += [
            Problem(
                _analysis_place(context, name, index),
                f"analysis/{name}/levels/{index}",
                f"no session has level '{level}' of factor '{factor}'; levels: {', '.join(told(one, '') for one in known)}",
            )
            for index, level in enumerate(analysis.levels)
            if known and level not in known
        ]
    return problems


def _analysis_place(context: BlockContext, name: str, index: int) -> Place:
    return context.place_in_study("analysis", name, "levels", index)
