"""What can be wrong with labels: they belong to nothing, or two of a kind are the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cbtrun.contract.labels import label_in
from cbtrun.documents.schema_words import did_you_mean, known_words

Fault = tuple[tuple[str, ...], str]
"""Path in the study, and what is wrong there."""


def label_faults(
    data: Mapping[str, Any], factors: Mapping[str, frozenset[str] | None], scores: Mapping[str, Sequence[str]]
) -> Iterator[Fault]:
    """All that is wrong with a study's labels.

    factors: factor -> its levels, none where only the sessions tell. scores: rating set -> outcomes of its rubric.
    """
    arms = _mapping(data.get("arms"))
    yield from _twice({(("arms", name, "label"), name): _mapping(arm).get("label") for name, arm in arms.items()})
    labelled = _mapping(data.get("factors"))
    yield from _twice(
        {(("factors", name, "label"), name): _mapping(one).get("label") for name, one in labelled.items()}
    )
    for name, one in labelled.items():
        if name not in factors:
            yield ("factors", name), _no("factor", name, factors)
        yield from _level_faults(name, _mapping(_mapping(one).get("levels")), factors.get(name))
    for name, block in _mapping(data.get("ratings")).items():
        for item in _mapping(_mapping(block).get("item_labels")) if name in scores else ():
            if item not in scores[name]:
                yield ("ratings", name, "item_labels", item), _no("outcome", item, scores[name])


def _level_faults(factor: str, levels: Mapping[str, Any], known: frozenset[str] | None) -> Iterator[Fault]:
    path = ("factors", factor, "levels")
    yield from _twice({((*path, level), level): label_in(said) for level, said in levels.items()})
    for level in levels if known is not None else ():
        if level not in (known or ()):
            yield (*path, level), _no(f"level of '{factor}'", level, sorted(known or ()))


def _twice(labels: Mapping[tuple[tuple[str, ...], str], Any]) -> Iterator[Fault]:
    """Two things under one label, or a label that is another's name, could not be told apart."""
    first: dict[str, str] = {}
    names = {name for _, name in labels}
    for (path, name), label in labels.items():
        if not isinstance(label, str) or not label:
            continue
        if label in first or (label in names and label != name):
            yield path, f"'{first.get(label, label)}' is called '{label}' as well; labels of one kind must differ"
        first.setdefault(label, name)


def _no(kind: str, name: str, known: Iterable[str]) -> str:
    return f"there is no {kind} '{name}'{did_you_mean(name, known)}; known: {known_words(known)}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
