"""Which design to buy: every affordable one with its cost and precision, the cheapest that is enough, the best for a budget.

Searched in full: counts of each facet up to bounds, personas on a grid that is complete up to 200.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.power.designs import FACETS, ArmContrast, Design, Precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbtrun.statistics.samples import Array

MOST: Mapping[str, int] = {"seeds": 8, "sessions": 6, "raters": 8, "repeats": 5, "wordings": 6}
"""Of each facet that is tried."""
MOST_PERSONAS = 2_000
FEWEST_PERSONAS = 3
POINTS = 12
"""Designs of a frontier that are told."""
BETTER = 0.02
"""Share by which the next design of a frontier must find less."""


@dataclass(frozen=True)
class UnitCosts:
    """What one of each thing costs, in one currency."""

    persona: float = 0.0
    """Of a persona that a model writes."""
    session: float = 0.0
    rating: float = 0.0
    """By one rater, on average over them."""
    seed: float = 0.0
    """Of one tuning of every job."""
    fixed: float = 0.0
    """Whatever the design: corpora."""
    tuned_arms: int = 0
    """Arms of the whole study that have tunings."""
    plain_arms: int = 2
    persona_sets: int = 1
    """How often the personas are drawn: for each arm, where none is under two."""

    def sessions_of(self, design: Design) -> Array:
        """Sessions of a study, all arms together."""
        import numpy as np

        each = np.asarray(design.personas, dtype=float) * design.sessions
        return np.asarray(each * (self.plain_arms + self.tuned_arms * np.asarray(design.seeds)))

    def ratings_of(self, design: Design) -> Array:
        """Ratings of a study."""
        import numpy as np

        return np.asarray(self.sessions_of(design) * design.raters * design.wordings * design.repeats)

    def of(self, design: Design) -> Array:
        """What a study costs."""
        import numpy as np

        persons = self.persona * np.asarray(design.personas, dtype=float) * self.persona_sets
        bought = self.session * self.sessions_of(design) + self.rating * self.ratings_of(design)
        return np.asarray(self.fixed + persons + bought + self.seed * np.asarray(design.seeds))


@dataclass(frozen=True)
class Priced:
    """A design with what it costs and what it can find."""

    design: Design
    cost: float
    detectable: float
    """In points."""
    half_width: float
    """In points."""


@dataclass(frozen=True)
class Searched:
    """Every design of a search."""

    contrast: ArmContrast
    precision: Precision
    costs: UnitCosts
    designs: Design
    """Arrays of one length."""
    cost: Array
    detectable: Array
    half_width: Array

    def cheapest(self, *, effect: float | None = None, half_width: float | None = None) -> Priced | None:
        """The cheapest design that finds an effect, or whose interval is narrow enough; none where none does."""
        import numpy as np

        measure, wanted = (self.detectable, effect) if half_width is None else (self.half_width, half_width)
        enough = np.flatnonzero(measure <= (wanted or 0.0))
        return self._at(_first(enough, self.cost, measure)) if enough.size else None

    def best(self, budget: float) -> Priced | None:
        """The design that finds the smallest effect for a budget; none where nothing can be had for it."""
        import numpy as np

        paid = np.flatnonzero((self.cost <= budget) & np.isfinite(self.detectable))
        return self._at(_first(paid, self.detectable, self.cost)) if paid.size else None

    def frontier(self, most: float) -> list[Priced]:
        """Designs up to a cost that no other beats in cost and effect, from cheap to dear, as many as can be read."""
        import numpy as np

        order = np.lexsort((self.detectable, self.cost))
        order = order[self.cost[order] <= most]
        found: list[int] = []
        least = np.inf
        for at in order[np.isfinite(self.detectable[order])]:
            if self.detectable[at] < least * (1 - BETTER):
                least = float(self.detectable[at])
                found.append(int(at))
        if len(found) > POINTS:
            costs = np.log(np.maximum(self.cost[found], 1e-12))
            wanted = np.linspace(costs[0], costs[-1], POINTS)
            found = [found[at] for at in dict.fromkeys(int(np.abs(costs - one).argmin()) for one in wanted)]
        return [self._at(at) for at in found]

    def of(self, design: Design) -> Priced:
        """A design that need not be among those that were searched."""
        return Priced(
            design,
            float(self.costs.of(design)),
            float(self.precision.detectable(self.contrast, design)),
            float(self.precision.half_width(self.contrast, design)),
        )

    def _at(self, at: int) -> Priced:
        return self.of(Design(*(int(one[at]) for one in self.designs)))


def search(
    contrast: ArmContrast, precision: Precision, costs: UnitCosts, held: Mapping[str, int], most_personas: int
) -> Searched:
    """Cost and precision of every design. held: facet -> how many there are in all of them."""
    import numpy as np

    counts = {name: [held[name]] if name in held else list(range(1, MOST[name] + 1)) for name in FACETS[1:]}
    sizes = [*range(FEWEST_PERSONAS, 201), *np.unique(np.geomspace(201, MOST_PERSONAS, 60).astype(int)).tolist()]
    personas = [one for one in sizes if one <= most_personas] or [most_personas]
    grids = np.meshgrid(personas, *counts.values(), indexing="ij")
    designs = Design(*(grid.ravel() for grid in grids))
    return Searched(
        contrast,
        precision,
        costs,
        designs,
        costs.of(designs),
        precision.detectable(contrast, designs),
        precision.half_width(contrast, designs),
    )


def needed_personas(
    contrast: ArmContrast, precision: Precision, design: Design, *, effect: float | None, half_width: float | None
) -> int | None:
    """Personas with which a design that is otherwise as it stands is precise enough; none up to MOST_PERSONAS."""
    import numpy as np

    sizes = np.arange(FEWEST_PERSONAS, MOST_PERSONAS + 1)
    many = Design(sizes, *design[1:])
    measure = precision.detectable(contrast, many) if half_width is None else precision.half_width(contrast, many)
    enough = np.flatnonzero(measure <= ((effect if half_width is None else half_width) or 0.0))
    return int(sizes[enough[0]]) if enough.size else None


def _first(of: NDArray[Any], by: Array, then: Array) -> int:
    """The place, among those given, that is lowest by one measure, then by another."""
    import numpy as np

    return int(of[np.lexsort((then[of], by[of]))[0]])


@dataclass(frozen=True)
class Frontier:
    """What a search found, to be drawn and told."""

    title: str
    """Outcome and arms."""
    currency: str
    points: tuple[Priced, ...]
    pilot: Priced
    effect: float | None
    half_width: float | None
    budget: float | None
    cheapest: Priced | None
    """For the effect or the half-width."""
    best: Priced | None
    """For the budget."""
    power: float
    limits: Mapping[Design, str]
    """Design -> the component that is most of its variance, and its share."""
