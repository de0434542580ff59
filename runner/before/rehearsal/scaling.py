"""Counts of a rehearsal: each plugin says in its options' schema, under `x-rehearsal`, what is enough.

{"most": 6}                    at most so many; of a list the first so many
{"most": 2, "always": true}    the same, also where the study leaves the option out
{"as": "cpu"}                  this value, where the study has the option or its default
{"drop": true}                 left out
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cbtrun.contract.marks import rehearsal_rule
from cbtrun.documents.schema import walk

MISSING = object()


@dataclass(frozen=True)
class Change:
    """One option that a rehearsal has otherwise than the study."""

    path: tuple[str | int, ...]
    before: Any
    """As the study has it; `MISSING` where it leaves it out."""
    after: Any
    """As the rehearsal has it; `MISSING` where it is left out."""

    def __str__(self) -> str:
        return f"{_words(self.after)} instead of {_words(self.before)}"


def scale(block: dict[str, Any], schema: Mapping[str, Any]) -> list[Change]:
    """Make a block as small as its schema says; gives what was changed, with paths inside the block."""
    return list(_scaled(block, schema))


def _scaled(block: dict[str, Any], schema: Mapping[str, Any]) -> Iterator[Change]:
    for part in walk(block, schema):
        if not isinstance(part.value, dict):
            continue
        for name, about in part.schema.get("properties", {}).items():
            rule = rehearsal_rule(about)
            if rule is None:
                continue
            before = part.value.get(name, MISSING)
            after = _after(before, rule)
            if after is MISSING:
                part.value.pop(name, None)
            else:
                part.value[name] = after
            if after is not before and after != before:
                yield Change((*part.path, name), before, after)


def _after(before: Any, rule: Mapping[str, Any]) -> Any:
    if rule.get("drop"):
        return MISSING
    if before is MISSING:
        return rule["most"] if rule.get("always") else MISSING
    if "as" in rule:
        return rule["as"]
    if isinstance(before, list):
        return before if len(before) <= rule["most"] else before[: rule["most"]]
    return min(before, rule["most"])


def _words(value: Any) -> str:
    if value is MISSING:
        return "nothing"
    return (
        ", ".join(map(str, value))
        if isinstance(value, list)
        else str(value).lower()
        if value in (True, False)
        else str(value)
    )
