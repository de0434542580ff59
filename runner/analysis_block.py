"""What every design has in common: the options of its block, the tables it reads, and how its results are stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.analysis_table import AnalysisTable, Row, analysis_table, keep_where, kept_levels
from cbtrun.records import Comparison, Effect, Json, Test
from cbtrun.statistics.samples import Sized, Tested, stored_float

if TYPE_CHECKING:
    from cbtrun.context import BlockContext, StageContext
    from cbtrun.errors import Problem

STATISTICS = Path(__file__).parent / "statistics"


def statistics_files() -> list[Path]:
    """The files whose change changes results: part of each analysis plugin's fingerprint."""
    return [*sorted(STATISTICS.glob("*.py")), Path(__file__), Path(__file__).with_name("analysis_table.py")]


def outcome_options() -> Json:
    """Options that say what is compared and in which sessions."""
    return {
        "outcome": {
            "type": "string",
            "x-names": "outcome",
            "description": "What is compared: `SET.total`, `SET.ITEM` or `SET.SUBSCALE` of a rating set.",
        },
        "items": {
            "type": "boolean",
            "default": True,
            "description": "Whether the same comparison is also made for each item of the rubric.",
        },
        "aggregate": {
            "enum": ["mean", "median"],
            "default": "mean",
            "description": "How the ratings of one session become one value: over each rater's repeats, then raters.",
        },
        "where": {
            "type": "object",
            "default": {},
            "description": "Subgroup: factor, label or `arm` -> the level, or the levels, to keep. All must hold.",
            "additionalProperties": {
                "anyOf": [
                    {"type": "string"},
                    {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
                ]
            },
        },
    }


def two_levels_options() -> Json:
    """Options that name a factor and the two of its levels that are compared."""
    return {
        "factor": {"type": "string", "x-names": "factors", "description": "The factor whose levels are compared."},
        "levels": {
            "type": "array",
            "items": {"type": "string", "x-names": "levels"},
            "minItems": 2,
            "maxItems": 2,
            "uniqueItems": True,
            "description": "Exactly two levels; the estimate is the first minus the second.",
        },
    }


def tests_option(names: Sequence[str], description: str) -> Json:
    """The option that lists the significance tests; the first is the one in the sentence."""
    return {
        "type": "array",
        "items": {"enum": list(names)},
        "minItems": 1,
        "uniqueItems": True,
        "default": list(names),
        "description": f"{description} The first is the one that the sentence cites.",
    }


def block_schema(required: Sequence[str], properties: Json) -> Json:
    """JSON Schema of an analysis block."""
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def outcome_tables(context: StageContext) -> list[AnalysisTable]:
    """The declared outcome's table, then one for each other item of its rubric if `items` is set."""
    from cbtrun.rating_totals import outcome_values

    options = context.options
    ratings_name, _, declared = options["outcome"].partition(".")
    rubric, ratings, sessions = context.rubric_of(ratings_name), context.ratings(ratings_name), context.sessions()
    items = [item.id for item in rubric.items if item.type != "text"] if options.get("items", True) else []
    where = kept_levels(options.get("where"))
    tables = []
    for name in dict.fromkeys([declared, *items]):
        values = outcome_values(ratings, rubric, name, options.get("aggregate", "mean"))
        tables.append(keep_where(analysis_table(f"{ratings_name}.{name}", sessions, values), where))
    return tables


def missing_level_notes(factor: str, levels: Sequence[str], rows: Sequence[Sequence[Row]]) -> list[str]:
    """A note for each level without a session, or without a value."""
    notes = []
    for level, at_level in zip(levels, rows, strict=True):
        if not at_level:
            notes.append(f"no session has {factor} `{level}`")
        elif all(row.value is None for row in at_level):
            notes.append(f"no session of `{level}` has a value")
    return notes


def tests_and_notes(results: Sequence[Tested]) -> tuple[tuple[Test, ...], list[str]]:
    """The tests that could be done, and why the others could not."""
    done = tuple(result.test for result in results if result.test is not None)
    return done, [result.note for result in results if result.note is not None]


def effects_and_notes(results: Sequence[Sized]) -> tuple[tuple[Effect, ...], list[str]]:
    """The effects that could be computed, and why the others could not."""
    done = tuple(result.effect for result in results if result.effect is not None)
    return done, [result.note for result in results if result.note is not None]


def stored(comparison: Comparison) -> Comparison:
    """The comparison with every number at 12 significant digits. Raises StatisticsError on NaN or infinities."""
    return Comparison.model_validate(_rounded(comparison.model_dump()))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return stored_float(value)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_rounded(inner) for inner in value)
    return value


def personas_are_shared(context: BlockContext) -> bool:
    """Whether simulated sessions give every arm the same personas, so that arms are compared within personas."""
    sessions = context.study.get("sessions")
    return isinstance(sessions, dict) and "personas" in sessions and sessions.get("using") != "import"


def refusal(context: BlockContext, what: str, *path: str | int) -> list[Problem]:
    """One problem in the shape that `check_block` gives."""
    return [context.problem(what, *path)]
