"""The options that analysis blocks share, as JSON Schema."""

from __future__ import annotations

from collections.abc import Sequence

from cbtrun.contract.marks import NAMES
from cbtrun.contract.records import Json


def outcome_options() -> Json:
    """Options that say what is compared and in which sessions."""
    return {
        "outcome": {
            "type": "string",
            NAMES: "outcome",
            "description": "What is compared: `SET.total`, `SET.ITEM` or `SET.SUBSCALE` of a rating set.",
        },
        "items": {
            "type": "boolean",
            "default": True,
            "description": "Whether the same comparison is also made for each item of the rubric.",
        },
        "aggregate": {
            "enum": ["mean", "median"],
            "description": "How the ratings of one session become one value: over each rater's repeats, then raters. "
            "As the rating set says, if left out.",
        },
        "exclude_flags": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "uniqueItems": True,
            "description": "Flags (by name) whose sessions are left out; `excluded` stands for the study's own rules of "
            "exclusion. By default none is left out for its flags. Sessions without a score are always left out (complete cases) "
            "and counted by level; `worst_case` in the results says how far the estimate could move.",
        },
        "where": {
            "type": "object",
            "default": {},
            "description": "Subgroup: factor, label, `arm`, `patient`, `persona` or `persona.ATTRIBUTE` (gender, risk, "
            "severity, engagement_style, disclosure_style) -> the level, or the levels, to keep. All must hold.",
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
        "factor": {"type": "string", NAMES: "factors", "description": "The factor whose levels are compared."},
        "levels": {
            "type": "array",
            "items": {"type": "string", NAMES: "levels"},
            "minItems": 2,
            "maxItems": 2,
            "uniqueItems": True,
            "description": "Exactly two levels; the estimate is the first minus the second.",
        },
    }


def several_levels_options(least: int = 2) -> Json:
    """Options that name a factor and the levels of it that are compared."""
    return {
        "factor": {"type": "string", NAMES: "factors", "description": "The factor whose levels are compared."},
        "levels": {
            "type": "array",
            "items": {"type": "string", NAMES: "levels"},
            "minItems": least,
            "uniqueItems": True,
            "description": f"At least {least} levels; of each pair the one that comes first minus the other is estimated.",
        },
    }


def compared_option() -> Json:
    """The option that says whether levels are compared within personas or between independent sessions."""
    return {
        "compared": {
            "enum": ["within-personas", "between"],
            "default": "within-personas",
            "description": "Within personas (each has sessions at every level), or between independent sessions.",
        }
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


def corrected_option() -> Json:
    """The option that has people correct the judge."""
    return {
        "corrected_by": {
            "type": "string",
            NAMES: "people",
            "description": "`people.NAME`: correct the judge's difference by what these people gave the sessions that were drawn "
            "for them. Estimate, interval, test and sentence are then the corrected ones, with the judge's and people's own "
            "beside them; where they cannot be had, it says why.",
        }
    }


def by_option() -> Json:
    """The option that repeats the comparison in subgroups."""
    return {
        "by": {
            "type": "string",
            "description": "Also make the comparison within each level of this factor, label or `persona.ATTRIBUTE`, after "
            "testing whether it depends on it.",
        }
    }


def family_options() -> Json:
    """Options that say how p is adjusted for many comparisons."""
    return {
        "correction": {
            "enum": ["holm", "bh", "none"],
            "default": "holm",
            "description": "How p is adjusted over the family: Holm, Benjamini-Hochberg, or not at all.",
        },
        "family": {
            "enum": ["primary", "block", "outcome-alone"],
            "default": "primary",
            "description": "The family. `primary`: the declared outcomes of all blocks are one; pairs of levels, items and "
            "subgroups stand behind it and count as shown only where what is before them was. `block`: all comparisons of this "
            "block. `outcome-alone`: the declared outcome of this block by itself, its items and subgroups as a second family.",
        },
    }


def block_schema(required: Sequence[str], properties: Json) -> Json:
    """JSON Schema of an analysis block: its own options and those that all designs share."""
    shared = {**outcome_options(), **by_option(), **family_options()}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["outcome", *required],
        "properties": {**shared, **properties},
    }
