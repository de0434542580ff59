"""What can be wrong with a rubric beyond its schema: names, bounds and what they refer to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cbtrun.documents.schema_words import did_you_mean, known_words
from cbtrun.ratings.rubric import Item, Rubric, Total, combined_ends
from cbtrun.ratings.rubric_signals import Words, named_signals


class Fault(NamedTuple):
    """One thing wrong, and where in the rubric's document."""

    path: tuple[str | int, ...]
    what: str


def rubric_faults(rubric: Rubric) -> Iterator[Fault]:
    """All that is wrong with a rubric whose form is right."""
    seen: set[str] = set()
    for at, item in enumerate(rubric.items):
        if item.id in seen:
            yield Fault(("items", at, "id"), f"two items are named {item.id!r}")
        seen.add(item.id)
        for path, what in [*_scale_faults(item), *_counting_faults(item), *_reference_faults(item, rubric)]:
            yield Fault(("items", at, *path), what)
    yield from _signal_faults(rubric)
    if rubric.total is not None:
        yield from _total_faults(rubric.items, rubric.total)


def _scale_faults(item: Item) -> Iterator[Fault]:
    low, high = item.bounds
    if item.type == "scale" and high is None:
        yield Fault((), "an item of type scale needs 'high'")
    if item.type in ("scale", "category") and high is not None and low >= high:
        yield Fault(("high" if item.type == "scale" else "categories",), f"the scale goes from {low:g} to {high:g}")
    for anchor in item.anchors:
        if anchor < low or (high is not None and anchor > high):
            yield Fault(("anchors",), f"anchor {anchor} is outside the scale {low:g} to {_bound(high)}")
    if (item.type == "category") != bool(item.categories):
        yield Fault(("categories",), "'categories' belongs to items of type category, and they need it")


def _counting_faults(item: Item) -> Iterator[Fault]:
    if item.reverse and (item.type == "text" or item.bounds[1] is None):
        yield Fault(("reverse",), "only an item with points and a highest score can be turned round")
    if item.weight != 1 and not item.counts:
        yield Fault(("weight",), "the item does not count in a total, so that a weight does nothing")


def _reference_faults(item: Item, rubric: Rubric) -> Iterator[Fault]:
    if item.id == "total" or item.id in rubric.subscales:
        yield Fault(("id",), f"{item.id!r} names the total or a subscale; call the item something else")
    if item.subscale is not None and item.subscale not in rubric.subscales:
        yield Fault(("subscale",), _no("subscale", item.subscale, rubric.subscales))
    if item.applies_if is not None and item.applies_if not in rubric.signals:
        yield Fault(("applies_if",), _no("signal", item.applies_if, rubric.signals))
    if item.applies_if is not None and not item.not_applicable:
        yield Fault(("applies_if",), "an item that may not apply says when, in words, under 'not_applicable'")
    for at, measurement in enumerate(item.signals):
        if measurement.signal not in rubric.signals:
            yield Fault(("signals", at, "signal"), _no("signal", measurement.signal, rubric.signals))
        values = [value for value, _ in measurement.points]
        if values != sorted(set(values)):
            listed = ", ".join(f"{value:g}" for value in values)
            yield Fault(("signals", at, "points"), f"the measured values must rise; got {listed}")


def _signal_faults(rubric: Rubric) -> Iterator[Fault]:
    names = list(rubric.signals)
    for at, (name, signal) in enumerate(rubric.signals.items()):
        for key, other in named_signals(signal):
            path = ("signals", name, key)
            if other not in rubric.signals:
                yield Fault(path, _no("signal", other, rubric.signals))
            elif other in names[at:]:
                yield Fault(path, f"signal {other!r} must stand above {name!r}, which is counted from it")
            elif isinstance(rubric.signals[other], Words):
                yield Fault(path, f"signal {other!r} measures words; name one that counts sentences")


def _total_faults(items: Sequence[Item], total: Total) -> Iterator[Fault]:
    low, high = combined_ends([item for item in items if item.counts], total.method)
    weighted = "weighted " if any(item.weight != 1 for item in items) else ""
    if not _same(total.low, low):
        yield Fault(
            ("total", "low"), f"the {weighted}{total.method} of the items is at least {low:g}, not {total.low:g}"
        )
    if not _same(total.high, high):
        what = f"the {weighted}{total.method} of the items is at most {_bound(high)}, not {_bound(total.high)}"
        yield Fault(("total", "high"), what)
    if total.threshold is not None and not low <= total.threshold <= (float("inf") if high is None else high):
        yield Fault(("total", "threshold"), f"threshold {total.threshold:g} is outside {low:g} to {_bound(high)}")


def _same(written: float | None, computed: float | None) -> bool:
    """Whether a written end is the computed one, but for what floats cannot hold: weights of 0.1 add up to nearly 1."""
    if written is None or computed is None:
        return written is computed
    return math.isclose(written, computed, rel_tol=1e-9, abs_tol=1e-9)


def _bound(value: float | None) -> str:
    return "any number" if value is None else f"{value:g}"


def _no(kind: str, name: str, known: Iterable[str]) -> str:
    return f"no {kind} {name!r}{did_you_mean(name, known)}; known: {known_words(known)}"
