"""Variance components of a balanced design of any crossed and nested facets, by the analysis of variance.

Each effect's mean square is a known sum of components, which is solved; what cannot be told apart is one component. Values of
a component below 0 are kept as they come out: only who uses them takes them for 0.

Source: Brennan 2001, "Generalizability Theory", chapters 3 and 5 (rules for T terms and expected mean squares); Searle,
Casella & McCulloch 1992, chapter 4. Draws: generalized pivotal quantities, Weerahandi 1993; Burdick, Borror & Montgomery 2005.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from cbtrun.errors import StatisticsError

if TYPE_CHECKING:
    from cbtrun.statistics.samples import Array

ROUNDS = 300
"""Of filling in missing values, at most."""
CONVERGED = 1e-6
"""Points by which a filled-in value may still move."""

Effect = frozenset[str]
"""The facets that an effect is of: those that it is nested in are named too."""


@dataclass(frozen=True)
class Balanced:
    """An analysis of variance of a design without gaps."""

    effects: tuple[Effect, ...]
    """From few facets to many; the last has all of them and holds what nothing else explains."""
    df: tuple[int, ...]
    mean_squares: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    """Effect x component: how often each component is in an effect's expected mean square."""

    @property
    def components(self) -> dict[Effect, float]:
        """Effect -> component in squared points, below 0 where it came out so."""
        return dict(zip(self.effects, map(float, self._solved([self.mean_squares])[0]), strict=True))

    def drawn(self, draws: int, seed: int) -> Array:
        """(draws, effects): components that the data leave possible, normal effects taken for granted; may be below 0."""
        import numpy as np

        rng = np.random.default_rng(seed)
        chance = rng.chisquare(self.df, size=(draws, len(self.df)))
        return self._solved(np.array(self.mean_squares) * np.array(self.df) / chance)

    def _solved(self, mean_squares: Sequence[Sequence[float]] | Array) -> Array:
        import numpy as np

        return np.asarray(np.linalg.solve(np.array(self.weights), np.asarray(mean_squares).T).T)


def balanced_components(
    values: Array, facets: Sequence[str], nested_in: Mapping[str, Sequence[str]], kept: Sequence[Effect] | None = None
) -> Balanced:
    """The analysis of a table with one axis a facet.

    nested_in: facet -> facets in whose every combination it has levels of its own. kept: effects that the model has; the
    squares of others go to the smallest kept effect that holds their facets. Facets of one level are left out.
    A few missing values (NaN) are filled in with what the model expects there, and cost the residual a degree of freedom each
    (Yates 1933). Raises StatisticsError where an effect has no degrees of freedom.
    """
    import numpy as np

    sizes = dict(zip(facets, values.shape, strict=True))
    several = [name for name in facets if sizes[name] > 1]
    table = values.reshape([sizes[name] for name in several])
    within = {name: {one for one in nested_in.get(name, ()) if sizes[one] > 1} for name in several}
    effects = _effects(several, within)
    model = [effect for effect in effects if kept is None or effect in kept or len(effect) == len(several)]
    missing = np.isnan(table)
    if missing.any():
        table = _filled(table, missing, several, within, {effect for effect in model if len(effect) < len(several)})
    pooled = {effect: [0.0, 0.0] for effect in model}
    for effect, part in _parted(table, several, effects):
        holding = min((one for one in model if effect <= one), key=len)
        pooled[holding][0] += float((np.broadcast_to(part, table.shape) ** 2).sum())
        outer = set().union(*(within[name] for name in effect))
        pooled[holding][1] += math.prod(sizes[name] - (name not in outer) for name in effect)
    pooled[model[-1]][1] -= int(missing.sum())
    if any(df < 1 for _, df in pooled.values()):
        raise StatisticsError("components: an effect has no degrees of freedom")
    weights = tuple(tuple(_weight(seen, part, sizes, several) for part in model) for seen in model)
    return Balanced(
        tuple(model),
        tuple(int(df) for _, df in pooled.values()),
        tuple(square / df for square, df in pooled.values()),
        weights,
    )


def _weight(effect: Effect, component: Effect, sizes: Mapping[str, int], facets: Sequence[str]) -> float:
    """How often a component is in the expected mean square of an effect, all effects taken as random."""
    if not effect <= component:
        return 0.0
    return float(math.prod(sizes[name] for name in facets if name not in component))


def _effects(facets: Sequence[str], within: Mapping[str, set[str]]) -> list[Effect]:
    """Every effect that the nesting allows, of few facets first."""
    sets = (frozenset(names) for count in range(1, len(facets) + 1) for names in combinations(facets, count))
    return [one for one in sets if all(within[name] <= one for name in one)]


def _parted(table: Array, facets: Sequence[str], effects: Sequence[Effect]) -> Iterator[tuple[Effect, Array]]:
    """Each effect's part of every value, to be broadcast: in a balanced design they are orthogonal."""
    rest = table - table.mean()
    for effect in effects:
        others = tuple(at for at, name in enumerate(facets) if name not in effect)
        part = rest.mean(axis=others, keepdims=True) if others else rest
        rest = rest - part  # what is left has nothing of this effect
        yield effect, part


def _filled(
    table: Array, missing: Array, facets: Sequence[str], within: Mapping[str, set[str]], model: set[Effect]
) -> Array:
    """The table with missing values as the model's effects without the residual make them, to convergence."""
    import numpy as np

    filled = np.where(missing, np.nanmean(table), table)
    effects = _effects(facets, within)
    for _ in range(ROUNDS):
        parts = [part for effect, part in _parted(filled, facets, effects) if effect in model]
        expected = filled.mean() + sum(parts, np.zeros(()))
        moved = float(np.abs(np.broadcast_to(expected, filled.shape)[missing] - filled[missing]).max())
        filled = np.where(missing, expected, filled)
        if moved < CONVERGED:
            break
    return filled
