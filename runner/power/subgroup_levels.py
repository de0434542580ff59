"""How many levels `by:` of an analysis will have, as far as the study's text tells before anything ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from cbtrun.contract.study_view import StudyView

ASSUMED = 2
"""Levels of a factor about which the study's text says nothing."""
SEVERITIES = 5
"""Bands of the PHQ-9."""


@dataclass(frozen=True)
class SubgroupLevels:
    """Levels of `by` in which the comparison can be made."""

    count: int
    how: str
    """How the count is known, in words; empty without `by`."""


def subgroup_levels(study: StudyView, options: Mapping[str, Any], personas: int | None) -> SubgroupLevels:
    """Levels of an analysis's `by`. personas: of the study, where known."""
    by = options.get("by")
    if not by:
        return SubgroupLevels(0, "")
    arms = _kept_arms(study, options.get("where") or {})
    if any(by in arm for arm in arms):
        found = _comparable(arms, by, options)
        return SubgroupLevels(len(found), f"`by: {by}` has {_counted(len(found))} with both sides of the comparison")
    if by.startswith("persona."):
        count = _persona_levels(by.removeprefix("persona."))
        if count is not None:
            count = min(count, personas or count)
            return SubgroupLevels(count, f"`by: {by}` is taken to have {count} levels, as many as a persona can have")
    if by == "persona" and personas is not None:
        return SubgroupLevels(personas, f"`by: persona` has {_counted(personas)}, one a persona")
    return SubgroupLevels(ASSUMED, f"`by: {by}` is assumed to have {ASSUMED} levels: the study’s text does not say")


def _kept_arms(study: StudyView, where: Mapping[str, str | Sequence[str]]) -> list[dict[str, str]]:
    """What the sessions of every arm have in common, of the arms that `where` keeps."""
    found = []
    for name, arm in study.arms.items():
        patient = study.patient_in(name)
        found.append({"arm": name, **({"patient": patient} if patient else {}), **arm.factors})
    kept = {name: [levels] if isinstance(levels, str) else list(levels) for name, levels in where.items()}
    return [arm for arm in found if all(arm[name] in levels for name, levels in kept.items() if name in arm)]


def _comparable(arms: Sequence[Mapping[str, str]], by: str, options: Mapping[str, Any]) -> set[str]:
    """Levels of `by` at which every compared factor has two or more of its levels."""
    levels = options.get("levels")
    compared = levels if isinstance(levels, Mapping) else {str(options.get("factor")): levels or ()}
    met = {level: [arm for arm in arms if arm.get(by) == level] for level in {arm[by] for arm in arms if by in arm}}
    return {
        level
        for level, members in met.items()
        if all(len({arm.get(name) for arm in members} & set(kept)) > 1 for name, kept in compared.items())
    }


def _persona_levels(attribute: str) -> int | None:
    """Levels that an attribute of personas can have; none where it may be any text."""
    from cbtrun.contract.records import FullPersona

    if attribute == "severity":
        return SEVERITIES
    return len(get_args(get_type_hints(FullPersona).get(attribute))) or None


def _counted(count: int) -> str:
    return f"{count} level{'s' if count != 1 else ''}"
