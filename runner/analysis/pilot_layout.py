"""What a pilot had of each facet: its single ratings with all that may have moved them, and whether they leave gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from cbtrun.analysis.table import AnalysisTable, Row, rows_at
from cbtrun.contract.worded import repeat_of, wording_of
from cbtrun.power.designs import Design

if TYPE_CHECKING:
    from cbtrun.statistics.samples import Array

AXES = ("arm", "persona", "seed", "session", "rater", "wording", "repeat")


class SeenRating(NamedTuple):
    """One rating."""

    value: float
    arm: str
    persona: str
    seed: str
    """Tune job and seed; empty where the therapist was not tuned."""
    session: str
    rater: str
    wording: str
    repeat: int


@dataclass(frozen=True)
class Layout:
    """The ratings of the compared arms."""

    seen: tuple[SeenRating, ...]
    arms: tuple[str, ...]
    compared: tuple[str, str]
    """The two arms whose difference is planned for."""

    @cached_property
    def personas(self) -> tuple[str, ...]:
        """Everybody, sorted."""
        return self._levels("persona")

    @cached_property
    def crossed(self) -> bool:
        """Whether personas are under several arms."""
        arms: dict[str, set[str]] = {}
        for one in self.seen:
            arms.setdefault(one.persona, set()).add(one.arm)
        return any(len(those) > 1 for those in arms.values())

    def seeds_of(self, arm: str) -> tuple[str, ...]:
        """An arm's tunings; none of an arm that was not tuned."""
        return tuple(sorted({one.seed for one in self.seen if one.arm == arm and one.seed}))

    @cached_property
    def shared_tunings(self) -> bool:
        """Whether two arms have a tuning in common: it is then the same under both and cancels."""
        everywhere = [seed for arm in self.arms for seed in self.seeds_of(arm)]
        return len(set(everywhere)) < len(everywhere)

    @property
    def tuned(self) -> tuple[bool, bool]:
        """Whether each compared arm has tunings of its own."""
        own = not self.shared_tunings
        first, second = (own and bool(self.seeds_of(arm)) for arm in self.compared)
        return first, second

    @cached_property
    def design(self) -> Design:
        """Counts of each facet: the most that occur, where they are not the same everywhere."""
        by_cell: dict[tuple[str, str, str], set[str]] = {}
        for one in self.seen:
            by_cell.setdefault((one.arm, one.persona, one.seed), set()).add(one.session)
        personas = max(len({one.persona for one in self.seen if one.arm == arm}) for arm in self.arms)
        return Design(
            personas,
            max([1, *(len(self.seeds_of(arm)) for arm in self.arms)]) if not self.shared_tunings else 1,
            max(map(len, by_cell.values())),
            len(self._levels("rater")),
            max(one.repeat for one in self.seen),
            len(self._levels("wording")),
        )

    def table(self) -> Array | None:
        """The ratings as an array by AXES, NaN where one is missing; none where arms or personas differ in what they have."""
        import numpy as np

        raters, wordings = self._levels("rater"), self._levels("wording")
        design = self.design
        personas = design.personas
        numbers: dict[tuple[str, ...], dict[str, int]] = {}

        def number(level: str, *within: str) -> int:
            known = numbers.setdefault(within, {})
            return known.setdefault(level, len(known))

        shape = (len(self.arms), personas, design.seeds, design.sessions, len(raters), design.repeats, len(wordings))
        values = np.full(shape, np.nan)
        everybody = {name: at for at, name in enumerate(self.personas)}
        for one in self.seen:
            person = everybody[one.persona] if self.crossed else number(one.persona, "persona", one.arm)
            tuning = "" if self.shared_tunings else one.seed
            place = (
                self.arms.index(one.arm),
                person,
                number(tuning, "seed", one.arm),
                number(one.session, "session", one.arm, one.persona, tuning),
                raters.index(one.rater),
                one.repeat - 1,
                wordings.index(one.wording),
            )
            if any(at >= size for at, size in zip(place, shape, strict=True)):
                return None
            values[place] = one.value
        return np.moveaxis(values, 5, 6)

    def _levels(self, name: str) -> tuple[str, ...]:
        return tuple(sorted({getattr(one, name) for one in self.seen}))


def layout_of(table: AnalysisTable, factor: str, levels: Sequence[str]) -> Layout:
    """The ratings at the levels of a factor; the first two are those compared."""
    seen = [one for level in levels for row in rows_at(table, factor, level) for one in _of_row(level, row)]
    return Layout(tuple(seen), tuple(levels), (levels[0], levels[1]))


def _of_row(level: str, row: Row) -> list[SeenRating]:
    persona = row.persona if row.persona is not None else f"session {row.session}"
    own = (level, persona, row.tuning or "", row.session)
    if row.ratings:
        return [
            SeenRating(value, *own, rater, wording_of(which), repeat_of(which))
            for (rater, which), value in sorted(row.ratings.items())
        ]
    return [] if row.value is None else [SeenRating(row.value, *own, "", "", 1)]
