"""What can be wrong with a rubric beyond its schema: names, bounds and what they refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cbtrun.documents.schema_words import did_you_mean, known_words
from cbtrun.ratings.rubric import Item, Rubric, Total
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
        for path, what in [*_scale_faults(item), *_reference_faults(item, rubric)]:
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
    bounds = [item.bounds for item in items if item.counts]
    parts = max(len(bounds), 1) if total.method == "mean" else 1
    low = sum(low for low, _ in bounds) / parts
    highs = [high for _, high in bounds if high is not None]
    high = sum(highs) / parts if len(highs) == len(bounds) else None
    if total.low != low:
        yield Fault(("total", "low"), f"the {total.method} of the items is at least {low:g}, not {total.low:g}")
    if total.high != high:
        what = f"the {total.method} of the items is at most {_bound(high)}, not {_bound(total.high)}"
        yield Fault(("total", "high"), what)
    if total.threshold is not None and not low <= total.threshold <= (float("inf") if high is None else high):
        yield Fault(("total", "threshold"), f"threshold {total.threshold:g} is outside {low:g} to {_bound(high)}")


def _bound(value: float | None) -> str:
    return "any number" if value is None else f"{value:g}"


def _no(kind: str, name: str, known: Iterable[str]) -> str:
    return f"no {kind} {name!r}{did_you_mean(name, known)}; known: {known_words(known)}"
