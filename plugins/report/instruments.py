"""Instruments of a study that differ from those of the study that it repeats: a difference in results may be theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cbtrun.plugin import StudyView, find_path, view_of
from cbtrun.plugins.report.tables import Row, Table


def instruments_table(study: Mapping[str, Any]) -> Table | None:
    """Path, what stands there here, and what the source had; none for a study that says nothing of it."""
    told: Mapping[str, str] = view_of(study).instead_of
    if not told:
        return None
    rows = tuple(Row((path, _here(view_of(study), path), theirs)) for path, theirs in told.items())
    note = "A difference between these results and the published ones may come from these alone"
    columns = ("In the study", "Here", "In the source")
    return Table("instruments", "Instruments that differ from the source’s", columns, rows, words=3, notes=(note,))


def _here(study: StudyView, path: str) -> str:
    """What a path of the study holds: of a model its name, else the value."""
    value: Any = study.data
    for step in find_path(study.data, path):
        value = value[step]
    if isinstance(value, Mapping):
        value = value.get("model") or value.get("using") or ", ".join(map(str, value))
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
