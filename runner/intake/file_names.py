"""What the names of a folder's files tell: `high_001`, `high_002`, `low_001` -> `{label}_{number}`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cbtrun.intake.facts import BETTER_FIRST
from cbtrun.tables.file_set import MOST_FIELDS, below_home, distinct_names

MOST_LEVELS = 6
KNOWN = {tuple(sorted(pair)) for pair in BETTER_FIRST}
"""Levels that are labels where each stands once, too."""
_SIGNS = re.compile(r"([_\-. ]+)")


class NamePattern(NamedTuple):
    """How files are called."""

    file_name: str
    """As a study has it."""
    fields: tuple[str, ...]
    """Names in braces that are no numbers: labels, which nobody has named."""


def pattern_of(path: Path, files: Sequence[Path]) -> NamePattern | None:
    """The pattern of the names of a folder's files; none where they have no form in common, or it tells no group."""
    split = [_SIGNS.split(Path(name).name) for name in distinct_names([below_home(one, path) for one in files])]
    if len(split) < 2 or len({(len(parts), *parts[1::2]) for parts in split}) != 1:
        return None
    columns = [[parts[at] for parts in split] for at in range(len(split[0]))]
    fields: list[str] = []
    pieces = [_piece(column, at, fields) for at, column in enumerate(columns)]
    labels = tuple(field for field in fields if field.startswith("label"))
    if not labels or len(fields) > MOST_FIELDS or any("{" in sign for column in columns for sign in column):
        return None
    return NamePattern("".join(pieces), labels)


def _piece(column: Sequence[str], at: int, fields: list[str]) -> str:
    """One part of the pattern: what stands in all names, or a field, whose name goes into `fields`."""
    values = {*column}
    if at % 2 or len(values) == 1:
        return column[0]
    if all(value.isdecimal() for value in values):
        kind = "number"
    else:
        few = len(values) <= min(MOST_LEVELS, len(column) - 1) or tuple(sorted(values)) in KNOWN
        kind = "label" if few else "name"
    same = sum(field.startswith(kind) for field in fields)
    fields.append(kind if not same else f"{kind}{same + 1}")
    return f"{{{fields[-1]}}}"
