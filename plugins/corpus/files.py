"""`files`: a corpus from files of transcripts by a mapping given in the study; personas from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.plugin import SpecError, StageError, hookimpl
from cbtrun.plugins.corpus.checks.corpus import checked
from cbtrun.plugins.corpus.checks.options import checks_schema
from cbtrun.plugins.corpus.mapping import column_problems, mapped, mapping_schema
from cbtrun.plugins.personas.files import PERSONA_OPTIONS, persona_path, personas_of
from cbtrun.plugins.personas.mapped_rows import text_template_faults
from cbtrun.plugins.personas.wanted_levels import wanted_level_problems
from cbtrun.plugins.transcripts.mapping_schema import file_schema, table_of

MOST_PROBLEMS = 20
"""A file with one mistake in every row should not fill the screen."""

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
    return {
        "type": "object",
        "required": ["path", "columns"],
        "additionalProperties": False,
        "properties": {**file_schema(), **mapping_schema(), "checks": checks_schema(rewrite=False)},
    }


@hookimpl
def check_block(context: BlockContext) -> list[Problem] | None:
    """The file can be read and has the mapped columns, or holds personas."""
    if context.stage == "personas":
        return _persona_problems(context)
    if context.stage != "corpus":
        return None
    try:
        table = table_of(context.options)
    except SpecError as error:
        return list(error.problems)
    if found := column_problems(table, context.options):
        return [context.problem(what, "columns", *([name] if name else [])) for name, what in found.items()]
    return mapped(table, context.options, Path(context.options["path"])).problems[:MOST_PROBLEMS]


@hookimpl
def plan_block(context: PlanContext) -> Plan | None:
    """As many personas as the file gives; no model is called."""
    if context.stage != "personas":
        return None
    from cbtrun.plugin import Plan

    options = context.options
    return Plan(units=len(personas_of(options, Path.cwd()))) if persona_path(options["path"], Path.cwd()) else None


@hookimpl
def make_personas(context: StageContext) -> list[Persona]:
    """The personas of the file, in its order."""
    path = persona_path(context.options["path"], Path.cwd())
    if path is None:
        raise StageError(f"personas.{context.name}: no file '{context.options['path']}'")
    return personas_of(context.options, Path.cwd())


def _persona_problems(context: BlockContext) -> list[Problem]:
    path = persona_path(context.options["path"], context.folder)
    if path is None:
        return [context.problem(f"no personas '{context.options['path']}'; shipped: eval-120", "path")]
    if found := text_template_faults(context.options):
        return [context.problem(what, "columns", "text") for what in found]
    try:
        personas = personas_of(context.options, context.folder)
    except SpecError as error:
        return list(error.problems)[:MOST_PROBLEMS]
    return list(wanted_level_problems(context, personas))


@hookimpl
def make_corpus(context: StageContext) -> list[Transcript]:
    """Every transcript of the file that passes its checks, in the file's order."""
    path = Path(context.options["path"])
    found = mapped(table_of(context.options), context.options, path)
    if found.problems:
        raise SpecError(found.problems)
    return checked(context, found.transcripts, context.options["checks"], found.left_out)
