"""The power of a study's analyses, as people read it and as a table of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cbtrun.contract.study_view import view_of
from cbtrun.power.formulas import dz_of
from cbtrun.power.planned import PlannedTest

STEPS = 10
SIZES = (5, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240)


@dataclass(frozen=True)
class Wanted:
    """What a plan of power is made for."""

    power: float = 0.8
    effect: float = 0.5
    """The effect whose n is asked for, in SDs; f is half of it (two levels), a log odds ratio 1.81 times it."""
    sd: float | None = None
    """Of sessions at one level, in points; none where nobody knows."""
    correlation: float = 0.5
    """Of a persona's scores at two levels."""
    points: float | None = None
    """The wanted effect in points, instead of `effect`."""

    def size(self, one: PlannedTest) -> float:
        """The wanted effect in the unit of a test's power function.

        Source: Cohen 1988, section 8.2 (f of two levels); Chinn 2000 (odds ratio of logistic values d apart).
        """
        if one.effect in ("f", "odds ratio"):
            return self.effect * (0.5 if one.effect == "f" else math.pi / 3**0.5)
        unit = self.unit_points(one)
        return self.points / unit if self.points is not None and unit else self.effect

    def unit_points(self, one: PlannedTest) -> float | None:
        """How many points one unit of the effect is; none without an SD, or for an effect that has no points."""
        if one.points is not None:
            return one.points
        if self.sd is None or one.effect not in ("dz", "d", "margin"):
            return None
        within = one.effect == "dz" or (one.effect == "margin" and one.unit == "pairs")
        return self.sd / dz_of(1.0, self.correlation) if within else self.sd


def effect_words(one: PlannedTest, size: float, wanted: Wanted | None = None) -> str:
    """`dz 0.66 (7.2 points)`, `odds ratio 2.1`."""
    if one.effect == "odds ratio":
        return f"odds ratio {_shown(one, size):.1f}"
    unit = wanted.unit_points(one) if wanted else None
    return f"{one.effect} {size:.2f}" + (f" ({size * unit:.1f} points)" if unit else "")


def power_sentences(tests: Sequence[PlannedTest | str], wanted: Wanted) -> Iterator[str]:
    """For a plan: what the study's n can find, analyses that are planned alike in one sentence."""
    alike: dict[str, list[str]] = {}
    for one in tests:
        if isinstance(one, str):
            yield f"power: {one}"
            continue
        alike.setdefault(_sentence(one, wanted), []).append(_name(one))
    for sentence, names in alike.items():
        yield f"power: {', '.join(names)}: {sentence}"


def power_lines(name: str, tests: Sequence[PlannedTest | str], wanted: Wanted) -> Iterator[str]:
    """The plan of power for a terminal: a table, a curve over effects, a curve over n, and what it rests on."""
    planned = [one for one in tests if isinstance(one, PlannedTest)]
    yield f"study '{name}': what its analyses can find with power {wanted.power:g}, two-sided"
    yield ""
    rows: list[tuple[str, ...]] = [("analysis", "design", "test", "n", "alpha", "family", "finds at least", "n needed")]
    rows += [_row(one, wanted) for one in planned]
    yield from aligned(rows)
    yield from curve_lines(planned, wanted)
    notes = [f"{_name(one)}: {note}" for one in planned for note in one.notes]
    notes += [one for one in tests if isinstance(one, str)]
    notes.append("alpha: 0.05 or what --alpha says, over the family: the strictest step of the correction")
    notes.append(
        "family: with `family: primary` the declared outcomes of all analyses; items and subgroups stand behind them, and are "
        "tested only where all of those are shown"
    )
    if wanted.sd is not None:
        notes.append(
            f"points: SD {wanted.sd:g} within a level, correlation {wanted.correlation:g} between a persona’s two scores"
        )
    yield ""
    yield from (f"  {note}" for note in dict.fromkeys(notes))


def curve_lines(planned: Sequence[PlannedTest], wanted: Wanted) -> Iterator[str]:
    """Power by effect at the study's n, and power by n for the wanted effect; tests planned alike in one column."""
    for members, one in planned_alike(planned):
        names = ", ".join(members)
        points = effect_curve(one, wanted.power)
        yield ""
        if points:
            yield f"power of {names} with n = {one.n} {one.unit}, by effect"
            sizes_row = (one.effect, *(f"{_shown(one, effect):.2f}" for effect, _ in points))
            yield from aligned([sizes_row, ("power", *(f"{power:.2f}" for _, power in points))])
        yield f"power of {names} for {effect_words(one, wanted.size(one), wanted)}, by n ({one.unit})"
        sizes = size_curve(one, wanted)
        yield from aligned([("n", *(str(n) for n, _ in sizes)), ("power", *(f"{power:.2f}" for _, power in sizes))])


def planned_alike(tests: Sequence[PlannedTest]) -> list[tuple[list[str], PlannedTest]]:
    """Tests with the same curve, once, with the names of the analyses that make them."""
    found: dict[tuple[object, ...], tuple[list[str], PlannedTest]] = {}
    for one in tests:
        key = (one.design, one.test, one.effect, one.unit, one.n, one.alpha)
        found.setdefault(key, ([], one))[0].append(_name(one))
    return list(found.values())


def effect_curve(one: PlannedTest, power: float) -> list[tuple[float, float]]:
    """(effect, power) at the study's n, from none to twice the smallest that is found; empty where n is unknown."""
    found = one.detectable(power)
    if found is None or one.n is None:
        return []
    return [(found * step / 5, one.power_at(one.n, found * step / 5)) for step in range(STEPS + 1)]


def size_curve(one: PlannedTest, wanted: Wanted) -> list[tuple[int, float]]:
    """(n, power) for the wanted effect."""
    sizes = sorted({*SIZES, *([one.n] if one.n else [])})
    return [(n, one.power_at(n, wanted.size(one))) for n in sizes]


def published_sd(study: Mapping[str, Any]) -> float | None:
    """The largest SD of sessions that the study's `compare_with` states; none where it states none."""
    entries = view_of(study).compare_with.values()
    levels = [one.get("sd") for entry in entries for one in (entry.get("levels") or {}).values()]
    contrasts = [sd for entry in entries for sd in (entry.get("contrast") or {}).get("sds") or ()]
    return max((sd for sd in [*levels, *contrasts] if sd), default=None)


def _shown(one: PlannedTest, size: float) -> float:
    """An effect as people read it: the odds ratio, not its logarithm."""
    return math.exp(size) if one.effect == "odds ratio" else size


def _name(one: PlannedTest) -> str:
    return f"{one.analysis} ({one.part})" if one.part else one.analysis


def _sentence(one: PlannedTest, wanted: Wanted) -> str:
    if one.n is None:
        return "its units are not known from the study’s text; `cbtrun power` takes --n"
    found = one.detectable(wanted.power)
    if found is None:
        return f"no effect can be found with {one.n} {one.unit}"
    size = effect_words(one, found, wanted)
    return f"{one.n:,} {one.unit} find {size} with power {wanted.power:g} ({one.test}, p < {one.alpha:.2g})"


def _row(one: PlannedTest, wanted: Wanted) -> tuple[str, ...]:
    found, needed = one.detectable(wanted.power), one.needed(wanted.size(one), wanted.power)
    return (
        _name(one),
        one.design,
        one.test,
        f"{one.n:,} {one.unit}" if one.n is not None else "unknown",
        f"{one.alpha:.2g}",
        str(one.family),
        effect_words(one, found, wanted) if found is not None else "no effect",
        f"{f'{needed:,}' if needed else 'too many'} for {effect_words(one, wanted.size(one), wanted)}",
    )


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of a table for a terminal, two spaces in."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        yield ("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
