"""The mapping that a row of others' suggests: their names of our fields, and what tells of the person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cbtrun.plugin import FullPersona, record_schema
from cbtrun.plugins.personas.mapped_rows import KINDS, LISTS, NUMBERS, WORDS, is_blank

NAMES_OF_ID = ("id", "idx", "index", "case_id", "client_id", "patient_id", "persona_id", "profile_id", "uuid")
"""What files of others call an id."""
OTHER_NAMES = {"sex": "gender", "job": "occupation", "profession": "occupation"}
"""Names of others -> ours, as public sets of simulated patients have them."""
_NOT_TOLD = re.compile(
    r"(?:^|[\W_])(?:dialogues?|dialogs?|conversations?|messages|transcripts?|sessions?|plan|techniques?|therapists?|"
    r"counsell?ors?|rubric|label|split)(?:$|[\W_])"
)


def proposed_columns(row: Mapping[str, Any]) -> str:
    """The mapping that a row suggests, as YAML on one line: keys of our names are those, all others tell of the person.

    Empty where nothing tells of the person. Dialogues and the therapist's plan, which a patient must not know, are no part of it: `not_told` names them.
    """
    own: dict[str, str] = {}
    for key in row:
        ours = _ours(key)
        if ours not in own and _fits(ours, row[key]):
            own[ours] = key
    if (named := next((key for key in row if key.strip().lower() in NAMES_OF_ID), "")) and not is_blank(row[named]):
        own = {"id": named, **own}
    rest = [key for key in row if key not in own.values() and key not in not_told(row)]
    text = [key for key in rest or own.values() if key != own.get("id") and not (key == "text" and is_blank(row[key]))]
    if not text:
        return ""
    return yaml_line({"columns": {**own, "text": text[0] if len(text) == 1 else text}})


def not_told(row: Mapping[str, Any]) -> list[str]:
    """Columns that are not about the person, as their names say: what was talked, what the therapist means to do."""
    return [key for key in row if _NOT_TOLD.search(key.lower())]


def yaml_line(value: Any) -> str:
    """Plain data as YAML in one line, as a user would write it."""
    import yaml

    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True).strip()[
        1:-1
    ]


def _ours(key: str) -> str:
    """The field of ours that a column's name says; empty for none."""
    name = re.sub(r"\W+", "_", key.strip().lower())
    name = OTHER_NAMES.get(name, name)
    return name if name in (*WORDS, *NUMBERS, *LISTS, *KINDS) else ""


def _fits(field: str, value: Any) -> bool:
    """Whether a cell can be the field's: a number within its bounds, a level that it has, a plain text or texts."""
    if not field or is_blank(value):
        return False
    if field in LISTS:
        return isinstance(value, str) or (isinstance(value, list) and all(isinstance(inner, str) for inner in value))
    if field in NUMBERS:
        low, high = {"age": (12, 110), "phq9": (0, 27)}[field]
        return str(value).strip().isdigit() and low <= int(str(value)) <= high
    if field in KINDS:
        return value in record_schema(FullPersona)["properties"][field]["enum"]
    return isinstance(value, str)
