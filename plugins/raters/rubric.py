"""`rubric`: every session rated on a rubric by one or more models, one or more times, each answer checked.

The rater sees the rubric and the turns: never the arm, the model or the persona. Sessions reach it in an order drawn
from the seed; the ratings come back in the study's order, every single one kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.plugin import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbtrun.plugin import BlockContext, Json, Plan, PlanContext, PlannedCalls, Problem, Rating, StageContext

PLANNED_IN, PLANNED_OUT = 3500, 1500
"""Tokens that a plan takes a rating to read beside the session, and to write: the CTRS with its anchors."""
PLANNED_TURNS = 24
"""Of a session whose block does not say how long it may be."""


@hookimpl
def options_schema(stage: str) -> Json | None:
    """Options of `using: rubric` under `ratings`."""
    return OPTIONS if stage == "ratings" else None


OPTIONS: Json = {
    "type": "object",
    "description": "Rates every session on a rubric; each score needs quotes that stand in the transcript.",
    "required": ["rubric", "raters"],
    "additionalProperties": False,
    "properties": {
        "rubric": {
            "type": "string",
            "x-names": "rubrics",
            "description": "Rubric to rate on: the name of a shipped one, or the path of your own (.yaml).",
        },
        "raters": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "string", "x-names": "models"},
            "description": "Models that rate; each rates every session.",
        },
        "repeats": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "default": 1,
            "x-rehearsal": {"most": 2},
            "description": "How often each rater rates each session.",
        },
        "wordings": {
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "description": "Ways to ask each rater, as a facet beside raters and repeats: every session is rated with each. A "
            "wording stands in place of the first two lines of the rater's system message; the rubric, the rules and the "
            "form of the answer stay. Without it the shipped words are used.",
            "items": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "description": "One wording, named; with neither `text` nor `file` it is the shipped one.",
                "properties": {
                    "name": {
                        "type": "string",
                        "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$",
                        "x-expected": "a name of letters, digits, - and _, at most 40 characters",
                        "description": "What ratings, results and tables call it.",
                    },
                    "text": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 20000,
                        "description": "The words, taken as they stand.",
                    },
                    "file": {
                        "type": "string",
                        "x-names": "file",
                        "x-words": False,
                        "description": "A text file that holds the words, beside the study.",
                    },
                },
            },
        },
        "item_labels": {
            "type": "object",
            "additionalProperties": {
                "type": "string",
                "minLength": 1,
                "maxLength": 60,
                "pattern": "^[^`\\n|]*$",
                "x-expected": "a short text in one line, without backticks",
                "description": "What reports and sheets call it.",
            },
            "description": "Item, subscale or `total` of the rubric -> what reports and sheets call it; raters read the rubric's "
            "own names, so that a change rates nothing again.",
        },
        "aggregate": {
            "enum": ["mean", "median"],
            "default": "mean",
            "description": "How the ratings of one session become one value: over each rater's ratings, then raters.",
        },
        "ask": {
            "enum": ["all", "item"],
            "default": "all",
            "description": "One call for all items, or one call per item (more calls; an item cannot colour the next).",
        },
        "mode": {
            "enum": ["JSON", "TOOLS", "JSON_SCHEMA"],
            "default": "JSON",
            "description": "How the rater gives its answer: JSON text, the arguments of a tool call, or text that the "
            "server holds to the schema.",
        },
        "tries": {
            "type": "integer",
            "minimum": 1,
            "maximum": 10,
            "default": 2,
            "description": "Attempts per call, the first included: after an invalid answer the rater is told what is "
            "wrong; what stays invalid is unscored.",
        },
        "max_chars": {
            "type": "integer",
            "minimum": 1000,
            "default": 200000,
            "description": "Longest transcript in one call, in characters; about four make a token.",
        },
        "long": {
            "enum": ["unscored", "window", "fail"],
            "default": "unscored",
            "description": "A session over max_chars: leave it unscored with that reason and rate the others, rate it in "
            "consecutive parts of whole turns (scales: mean weighted by turns; yes/no: any; counts: sum), or stop before "
            "the first call. Nothing is ever cut off.",
        },
        "mask_identity": {
            "type": "boolean",
            "default": False,
            "description": "Whether words that name a model or its maker are shown to the rater as [masked]. They are "
            "flagged either way.",
        },
    },
}


@hookimpl
def check_block(context: BlockContext) -> list[Problem]:
    """Refuses wordings that have one name, or the same words, and files that hold none."""
    from cbtrun.plugin import wording_faults

    if context.stage != "ratings":
        return []
    return [context.problem(what, "wordings", at) for at, what in wording_faults(context.options)]


@hookimpl
def plan_block(context: PlanContext) -> Plan | None:
    """One call for each session, rater, wording and repeat (and item, if asked one by one)."""
    from cbtrun.plugin import Plan, count_wordings

    if context.stage != "ratings":
        return None
    options = context.options
    sessions, repeats = context.units("sessions"), options.get("repeats", 1)
    assumed = [
        "answers that have to be repaired are not counted",
        f"a rating reads {PLANNED_IN:,} tokens beside the session and writes {PLANNED_OUT:,}",
    ]
    if options.get("ask", "all") == "item":
        assumed.append(f"ratings.{context.name} asks for each item in a call of its own: calls are times the items")
    count = sessions * repeats * count_wordings(options)
    turns = context.study.sessions.max_turns or PLANNED_TURNS
    calls = tuple(planned_rating(rater, count, turns) for rater in options["raters"])
    return Plan(units=count * len(options["raters"]), calls=calls, assumed=tuple(assumed))


def planned_rating(rater: str, count: int, turns: int) -> PlannedCalls:
    """So many ratings by one rater of sessions of so many turns."""
    from cbtrun.plugin import TURN_TOKENS, PlannedCalls

    return PlannedCalls(rater, count, count * (PLANNED_IN + turns * TURN_TOKENS), count * PLANNED_OUT)


@hookimpl
def rate_sessions(context: StageContext) -> Sequence[Rating]:
    """One rating for each session, rater, wording and repeat, in that order."""
    from cbtrun.plugins.raters.rating import rate_all

    return rate_all(context)
