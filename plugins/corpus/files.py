"""`files`: a corpus from a file of transcripts (CSV, JSON lines or Parquet) by a mapping given in the study; personas from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.plugin import SpecError, StageError, hookimpl, read_table
from cbtrun.plugins.corpus.checks.corpus import checked
from cbtrun.plugins.corpus.checks.options import checks_schema
from cbtrun.plugins.corpus.mapping import column_problems, mapped, mapping_schema
from cbtrun.plugins.personas.files import PERSONA_OPTIONS, persona_path, read_personas

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Json, Persona, Plan, PlanContext, Problem, StageContext, Transcript

MOST_PROBLEMS = 50
"""Rows that are told one by one."""


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: files` under `corpus` and `personas`."""
    if stage == "personas":
        return PERSONA_OPTIONS
    if stage != "corpus":
        return None
    path = {
        "type": "string",
        "x-names": "file",
        "description": "File of transcripts: .csv, .jsonl or .parquet.",
    }
    return {
        "type": "object",
        "required": ["path", "columns", "speakers"],
        "additionalProperties": False,
        "properties": {"path": path, **mapping_schema(), "checks": checks_schema(rewrite=False)},
    }


@hookimpl
def check_block(context: BlockContext) -> list[Problem] | None:
    """The file can be read and has the mapped columns, or holds personas."""
    if context.stage == "personas":
        return _persona_problems(context)
    if context.stage != "corpus":
        return None
    path = Path(context.options["path"])
    try:
        table = read_table(path)
    except SpecError as error:
        return list(error.problems)
    found = column_problems(table, context.options["columns"])
    problems = [context.problem(what, "columns", *([name] if name else [])) for name, what in found.items()]
    return problems or mapped(table, context.options, path)[1][:MOST_PROBLEMS]


@hookimpl
def plan_block(context: PlanContext) -> Plan | None:
    """As many personas as the file gives; no model is called."""
    if context.stage != "personas":
        return None
    from cbtrun.plugin import Plan

    path = persona_path(context.options["path"], Path.cwd())
    return (
        Plan(units=len(read_personas(path, context.options.get("columns"))[: context.options.get("first")]))
        if path
        else None
    )


@hookimpl
def make_personas(context: StageContext) -> list[Persona]:
    """The personas of the file, in its order."""
    path = persona_path(context.options["path"], Path.cwd())
    if path is None:
        raise StageError(f"personas.{context.name}: no file '{context.options['path']}'")
    return read_personas(path, context.options.get("columns"))[: context.options.get("first")]


def _persona_problems(context: BlockContext) -> list[Problem]:
    path = persona_path(context.options["path"], context.folder)
    if path is None:
        return [context.problem(f"no personas '{context.options['path']}'; shipped: eval-120", "path")]
    try:
        read_personas(path, context.options.get("columns"))
    except SpecError as error:
        return list(error.problems)
    return []


@hookimpl
def make_corpus(context: StageContext) -> list[Transcript]:
    """Every transcript of the file that passes its checks, in the file's order."""
    path = Path(context.options["path"])
    transcripts, problems = mapped(read_table(path), context.options, path)
    if problems:
        raise SpecError(problems)
    return checked(context, transcripts, context.options["checks"])
