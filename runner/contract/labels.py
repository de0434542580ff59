"""What people read for the names of a study: `label:` of arms, of factors and their levels, and of a rubric's items.

Names stay what programs read: records, results.json, keys and fingerprints have them. Reports, sheets and sentences have the labels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cbtrun.contract.study_view import StudyView

ARM = "arm"
"""The grouping whose levels are the arms."""
ALL = "all"


@dataclass(frozen=True)
class Labels:
    """Name -> label, of those that have one; every other name is its own label."""

    factors: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Factor, or `arm` -> level -> label."""
    items: Mapping[str, str] = field(default_factory=dict)
    """Outcome (`ctrs.agenda`) -> label."""
    of_analysis: Mapping[str, str] = field(default_factory=dict)
    """Analysis -> the factor that it compares: a test of interaction names only the one that it depends on."""

    def __bool__(self) -> bool:
        """Whether anything has a label."""
        return bool(self.factors or self.items or any(self.levels.values()))

    def factor(self, name: str) -> str:
        """The label of a factor; of a product of factors (`tuning x family`) that of each."""
        return " x ".join(self.factors.get(one, one) for one in name.split(" x "))

    def level(self, factor: str, name: str) -> str:
        """The label of a factor's level, or of an arm; of a cell of several factors (`cbt / llama`) that of each."""
        own = self.levels.get(factor, {})
        if name in own:
            return own[name]
        parts, factors = name.split(" / "), factor.split(" x ")
        if len(parts) < 2 or len(parts) != len(factors):
            return self._any_level(factors, name)
        return " / ".join(self.level(one, part) for one, part in zip(factors, parts, strict=True))

    def item(self, outcome: str, title: str) -> str:
        """What an outcome is called: its label, else its title."""
        return self.items.get(outcome, title)

    def _any_level(self, factors: list[str], name: str) -> str:
        """Of a product of factors, one level may stand for itself (`cbt` of `tuning x family`)."""
        found = [self.levels.get(one, {}).get(name) for one in factors]
        return next((one for one in found if one is not None), name)

    @cached_property
    def every_level(self) -> Mapping[str, str]:
        """Level, of any factor or arm -> its label, where all that have the name agree on it."""
        met: dict[str, set[str]] = {}
        for own in self.levels.values():
            for name, label in own.items():
                met.setdefault(name, set()).add(label)
        return {name: labels.pop() for name, labels in met.items() if len(labels) == 1}


def labels_of(study: StudyView, of_rubrics: Mapping[str, Mapping[str, str]] | None = None) -> Labels:
    """The labels that a study gives. of_rubrics: rating set -> item -> label, as its rubric has it; the study's own win."""
    factors = study.factor_blocks
    levels = {name: {level: label_in(said) for level, said in one.levels.items()} for name, one in factors.items()}
    arms = {name: arm.label for name, arm in study.arms.items() if arm.label}
    items: dict[str, str] = {}
    for name, own in (of_rubrics or {}).items():
        items |= {f"{name}.{item}": label for item, label in own.items()}
    for name, rated in study.rating_sets.items():
        items |= {f"{name}.{item}": label for item, label in rated.item_labels.items()}
    return Labels(
        factors={name: one.label for name, one in factors.items() if one.label},
        levels={name: own for name, own in {**levels, ARM: arms}.items() if own},
        items=items,
        of_analysis={name: one.factor for name, one in study.analyses.items()},
    )


def label_in(said: Any) -> str:
    """A level's label: a text, or a mapping with `label`."""
    return str(said.get("label", "")) if isinstance(said, Mapping) else str(said)


def without_labels(data: Mapping[str, Any]) -> dict[str, Any]:
    """A study's plain values without any label: what decides what is done, and what keys are made of."""
    plain = {key: value for key, value in data.items() if key != "factors"}
    for stage, key in (("arms", "label"), ("ratings", "item_labels")):
        if isinstance(blocks := plain.get(stage), Mapping):
            plain[stage] = {name: without(block, key) for name, block in blocks.items()}
    return plain


def without(block: Any, *keys: str) -> Any:
    """A block without some of its keys."""
    return {key: value for key, value in block.items() if key not in keys} if isinstance(block, Mapping) else block


def outside_names(text: str, change: Callable[[str], str], name: Callable[[str], str]) -> str:
    """A sentence with what stands in backticks turned by `name`, and all other words by `change`."""
    parts = re.split(r"`([^`]*)`", text)
    return "".join(f"`{name(part)}`" if at % 2 else change(part) for at, part in enumerate(parts))
