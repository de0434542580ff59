"""Files that describe persons, a row each: whose format it is, and which columns tell of the person.

To add a format: a line in FORMATS. The first whose columns a file has is taken; what none knows goes by `GENERAL`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cbtrun.intake.columns import cells, is_number, is_plain, named, plain
from cbtrun.tables.row import Table

IDS = ("id", "idx", "index", "case_id", "client_id", "patient_id", "persona_id", "profile_id", "user_id", "uuid", "nr")
OWN = ("name", "age", "gender", "occupation")
"""Fields of ours that go by these names wherever they stand."""
TELLING = (
    *(
        "persona",
        "profile",
        "intake_form",
        "vignette",
        "description",
        "background",
        "case",
        "history",
        "presenting_problem",
    ),
    *(
        "symptoms",
        "diagnosis",
        "attitude",
        "occupation",
        "personality",
        "situation",
        "core_beliefs",
        "core_belief",
        "age",
    ),
    *(
        "gender",
        "problem",
        "mood",
        "backstory",
        "text",
        "life_history",
        "disposition",
        "communication_style",
        "traits",
        "biography",
    ),
)
"""Names of columns that tell of a person."""


@dataclass(frozen=True)
class PersonaFormat:
    """Others' way to write persons down."""

    name: str
    needs: frozenset[str]
    """Columns, in small letters, that only this format has together."""
    text: tuple[str, ...] = ()
    """Columns that the patient's model is told; empty for all that are not fields of ours."""
    own: Mapping[str, str] = field(default_factory=dict)
    """Field of ours -> its column, where it is called otherwise."""


FORMATS: tuple[PersonaFormat, ...] = (
    PersonaFormat(
        "CACTUS: intake forms", frozenset({"intake_form"}), ("intake_form", "attitude", "attitude_instruction")
    ),
    PersonaFormat(
        "Patient-Psi: cognitive conceptualisations", frozenset({"core_beliefs", "intermediate_beliefs", "history"})
    ),
)
GENERAL = "a person a row"
_NOT_TOLD = re.compile(
    r"(?:^|[\W_])(?:dialogues?|dialogs?|conversations?|messages|transcripts?|sessions?|plan|techniques?|therapists?|"
    r"counsell?ors?|rubric|label|split)(?:$|[\W_])"
)
"""Columns that are not about the person: what was talked, and what the therapist means to do, which a patient must not know."""


def person_columns(table: Table, *, sure: bool = False) -> tuple[str, dict[str, Any]] | None:
    """A name of the format, and `columns` of `personas: {using: files}`; none where rows tell of no person.

    sure: the user says that they do; then any words will do.
    """
    by_name = {plain(column): column for column in reversed(table.columns)}
    known = next((one for one in FORMATS if one.needs <= {*by_name}), None)
    if known is None and not sure and not _tell_of_persons({*by_name}):
        return None
    columns: dict[str, Any] = {"id": ids[0]} if (ids := _ids(table)) else {}
    columns |= {one: by_name[one] for one in OWN if one in by_name and _is_filled(table, by_name[one])}
    columns |= {ours: by_name[theirs] for ours, theirs in (known.own if known else {}).items() if theirs in by_name}
    wanted = [by_name[one] for one in (known.text if known else ()) if one in by_name]
    rest = [
        one
        for one in table.columns
        if one not in columns.values() and not _NOT_TOLD.search(one.casefold()) and cells(table.rows, one)
    ]
    text = wanted or rest or [column for ours, column in columns.items() if ours != "id"]
    if not any(
        isinstance(value, str) and not is_number(value) for column in text for value in cells(table.rows, column)
    ):
        return None
    return (known.name if known else GENERAL), {**columns, "text": text[0] if len(text) == 1 else text}


def _tell_of_persons(names: set[str]) -> bool:
    """Whether columns are called as those of persons are: two of them, one beside a name, or one that is a whole person."""
    if {"speaker", "interlocutor", "utterance"} & names:
        return False  # turns of a talk
    telling = names & {*TELLING}
    return (
        len(telling) > 1
        or bool(telling and "name" in names)
        or bool({"persona", "vignette", "profile", "text"} & names)
    )


def _is_filled(table: Table, column: str) -> bool:
    held = cells(table.rows, column)
    if plain(column) == "age":  # `around 40` is told in words
        return len(held) == len(table.rows) and all(
            str(value).strip().isdecimal() and 12 <= int(str(value)) <= 110 for value in held
        )
    return bool(held) and all(is_plain(value) for value in held)


def _ids(table: Table) -> Sequence[str]:
    return [
        column
        for column in named(table.columns, IDS)
        if len({*map(str, cells(table.rows, column))}) == len(table.rows) and _is_filled(table, column)
    ]
