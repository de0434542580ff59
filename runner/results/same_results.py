"""Whether two results.json say the same: byte for byte, or to within what another processor rounds otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbtrun.results.records import results_in

WITHIN = 1e-9
"""Of a number, or of 1 where it is smaller: what sums in another order come to, and no result rests on."""
MOST_SHOWN, LONGEST = 40, 80
NAMING = ("analysis", "outcome", "name", "about", "level", "kind")
"""What of an entry of a list says which it is."""


@dataclass(frozen=True)
class Difference:
    """A place where two results differ."""

    path: str
    first: Any
    second: Any

    @property
    def size(self) -> float | None:
        """How far two numbers are apart; none for anything else."""
        if not _is_number(self.first) or not _is_number(self.second):
            return None
        return abs(float(self.first) - float(self.second))

    @property
    def counts(self) -> bool:
        """Whether it is more than rounding."""
        return self.size is None or self.size > WITHIN * max(1.0, abs(self.first), abs(self.second))

    def __str__(self) -> str:
        """The difference as a reader sees it."""
        apart = "" if self.size is None else f" ({self.size:.3g} apart)"
        return f"{self.path}: {_shown(self.first)} and {_shown(self.second)}{apart}"


@dataclass(frozen=True)
class Sameness:
    """How far two results are the same."""

    bytewise: bool
    differences: tuple[Difference, ...]
    """All of them, rounding too, in the order of the file."""

    @property
    def telling(self) -> list[Difference]:
        """Those that are more than rounding."""
        return [one for one in self.differences if one.counts]

    def lines(self, first: Path, second: Path) -> Iterator[str]:
        """What is to be said of it."""
        both = f"{first} and {second}"
        rounded = [one.size or 0.0 for one in self.differences if not one.counts]
        if self.bytewise:
            yield f"{both} are the same, byte for byte."
        elif not self.differences:
            yield f"{both} say the same in other bytes: no value differs."
        elif not self.telling:
            most = max(rounded)
            yield f"{both} are the same within {WITHIN:g}: {_numbers(rounded)}, the most by {most:.2g}."
        else:
            values = "value" if len(self.telling) == 1 else "values"
            yield f"{both} differ in {len(self.telling):,} {values} by more than {WITHIN:g}:"
            yield from (f"  {one}" for one in self.telling[:MOST_SHOWN])
            if more := len(self.telling) - MOST_SHOWN:
                yield from [f"  and {more:,} more"] if more > 0 else []
            if rounded:
                yield f"{_numbers(rounded, 'more ')} by less, the most by {max(rounded):.2g}."


def same_results(first: Path, second: Path) -> Sameness:
    """How far two files of results are the same. Raises StageError for a file that holds none."""
    documents = []
    for path in (first, second):
        results_in(path)  # bounded, and of our shape
        documents.append(path.read_bytes())
    one, other = (json.loads(document) for document in documents)
    return Sameness(documents[0] == documents[1], tuple(_differences(one, other, "")))


def _differences(one: Any, other: Any, path: str) -> Iterator[Difference]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            below = f"{path}/{key}" if path else str(key)
            if key in one and key in other:
                yield from _differences(one[key], other[key], below)
            else:
                yield Difference(below, one.get(key, "(not there)"), other.get(key, "(not there)"))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(left, right, f"{path}/{_name(left, place)}")
    elif one != other or _is_number(one) != _is_number(other):
        yield Difference(path, one, other)


def _numbers(rounded: list[float], more: str = "") -> str:
    return f"1 {more}number differs" if len(rounded) == 1 else f"{len(rounded):,} {more}numbers differ"


def _name(entry: Any, place: int) -> str:
    told = [str(entry[key]) for key in NAMING if isinstance(entry, Mapping) and isinstance(entry.get(key), str)]
    return " ".join(told[:2]) or str(place)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
