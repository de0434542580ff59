"""`import`: sessions that already exist, read from a file by a mapping given in the study.

A file holds one row per turn, per exchange, or per session with a list of messages; a folder one session a file.
Nothing is guessed: a speaker, column or session that does not fit is a problem with its line, before anything runs.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.plugin import Place, Problem, Session, SpecError, Table, hookimpl, spoken_in, told, write_atomically
from cbtrun.plugins.dialogue.checks import checked, options_with
from cbtrun.plugins.fidelity.finding import Case
from cbtrun.plugins.raters.control_sessions import KINDS, with_controls
from cbtrun.plugins.transcripts.cells import cell, has_column
from cbtrun.plugins.transcripts.left_out import left_out
from cbtrun.plugins.transcripts.level_spellings import spelling_problems
from cbtrun.plugins.transcripts.mapping_schema import (
    COLUMN,
    column_schema,
    file_schema,
    mapping_problems,
    row_schema,
    table_of,
)
from cbtrun.plugins.transcripts.session_rows import grouped_rows, read_sessions

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, Plan, PlanContext, StageContext

LEFT_OUT_FILE = "sessions.left_out.json"
"""In the run folder: what of the files was left out, by reason; for the report."""
ENGLISH = ("en",)
MOST_PROBLEMS = 20
"""A file with one mistake in every row should not fill the screen."""


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `sessions: {using: import}`."""
    if stage != "sessions":
        return None
    return {
        "type": "object",
        "required": ["path", "columns"],
        "additionalProperties": False,
        "properties": {
            **file_schema(),
            "columns": {
                "type": "object",
                "description": "Our name -> the file's column. Either session, speaker and text (a row per turn, with "
                "order where rows are not in order), or messages (a row per session), or question and answer (a row per "
                "exchange). `a.b` is b inside the object a.",
                "additionalProperties": False,
                "properties": {
                    **column_schema("session"),
                    "persona": COLUMN | {"description": "Column that names the patient, for paired designs."},
                },
            },
            **row_schema(),
            "factors": {
                "type": "object",
                "description": "Factor -> the column that holds its level, for the analysis.",
                "default": {},
                "additionalProperties": COLUMN,
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
                "additionalProperties": COLUMN,
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
        table = table_of(context.options)
    except SpecError as error:
        return list(error.problems)
    problems = _column_problems(context, table)
    if problems:
        return problems
    _, problems = read_sessions(table, context.options, path)
    levelled = {**context.options.get("labels", {}), **context.options["factors"]}
    problems += spelling_problems(table, levelled, path)
    return problems[:MOST_PROBLEMS] or _level_problems(context, table)


@hookimpl
def run_sessions(context: StageContext) -> list[Session]:
    """Every session of the file, in the order in which they first appear."""
    path = Path(context.options["path"])
    besides: Counter[str] = Counter()
    sessions, problems = read_sessions(table_of(context.options), context.options, path, besides)
    if problems:
        raise SpecError(problems)
    context.left_out.update(left_out(sessions, besides))
    write_atomically(context.folder / LEFT_OUT_FILE, json.dumps(context.left_out, indent=2) + "\n")
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
    sessions = len(grouped_rows(table_of(context.options), context.options, path, []))
    return Plan(units=sessions * (1 + len(context.options.get("controls", ()))))


def _column_problems(context: BlockContext, table: Table) -> list[Problem]:
    columns = context.options["columns"]
    has = f"in the file; it has: {', '.join(table.columns)}"
    problems = [
        context.problem(what, "columns", *([name] if name else []))
        for name, what in mapping_problems(table, columns, "session", context.options.get("speakers")).items()
    ]
    for block in ("factors", "labels"):
        problems += [
            context.problem(f"no column '{column}' {has}", block, name)
            for name, column in context.options[block].items()
            if not has_column(table, column)
        ]
    problems += [
        context.problem(f"no column '{column}' {has}", "where", column)
        for column in context.options["where"]
        if not has_column(table, column)
    ]
    if "speakers" not in context.options and "answer" not in columns:
        problems.append(
            context.problem("needs `speakers`: the file's word for a speaker -> therapist, patient or skip")
        )
    return problems


def _level_problems(context: BlockContext, table: Table) -> list[Problem]:
    """Levels that an analysis names and no session has."""
    problems = []
    for name, analysis in context.study.analyses.items():
        factor = analysis.factor
        column = context.options["factors"].get(factor)
        known = sorted({str(value) for row in table.rows if (value := cell(row, column)) is not None}) if column else []
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
