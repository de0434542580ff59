"""What a design can find: the variance of an arm contrast from its components, its degrees of freedom, the smallest effect.

Arms are fixed; personas, tuning seeds, sessions, raters, wordings and repeats are random unless held fixed. What is the same
under both arms cancels in their difference: a persona's, a rater's and a wording's own level. What differs by arm does not.

Source: Brennan 2001, "Generalizability Theory", chapter 4 (D studies); Westfall, Kenny & Judd 2014 (degrees of freedom where
several facets are random, after Satterthwaite 1946).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cbtrun.statistics.samples import Array

PARTS = ("persona", "seed", "session", "rater", "wording", "rater-session", "wording-session", "residual")
"""Components that are in a contrast, those first whose facet is bought least often."""
FACETS = ("personas", "seeds", "sessions", "raters", "repeats", "wordings")
SURELY = 1e-12
"""Share of the variance that counts as none."""


class Design(NamedTuple):
    """How many of each facet a study has. Fields may be arrays of one length, for many designs at once."""

    personas: Any
    """Of each arm; the same under all arms where they are crossed."""
    seeds: Any
    """Tuning runs of each tuned arm."""
    sessions: Any
    """Of each persona with each tuning."""
    raters: Any
    repeats: Any
    """Ratings by each rater of each session with each wording."""
    wordings: Any

    def words(self) -> str:
        """`24 personas x 3 raters`: what there is more than one of."""
        named = [(count, name) for count, name in zip(self, FACETS, strict=True) if count != 1 or name == "personas"]
        return " x ".join(f"{count:,} {name if count != 1 else name[:-1]}" for count, name in named)


@dataclass(frozen=True)
class ArmContrast:
    """What the difference of two arms' means is made of."""

    components: Mapping[str, float]
    """Of PARTS, those that are known: squared points, none below 0."""
    tuned: tuple[bool, bool] = (False, False)
    """Whether each of the two arms has tunings of its own."""
    crossed: bool = True
    """Whether the same personas are under both arms."""
    fixed: frozenset[str] = frozenset()
    """Facets (`rater`, `wording`, `seed`) whose levels are all that the claim is about."""

    def parts(self, design: Design) -> dict[str, Array]:
        """Component -> what it adds to the variance of the difference, in squared points."""
        import numpy as np

        found: dict[str, Array] = {}
        seeds = [np.asarray(design.seeds if tuned else 1, dtype=float) for tuned in self.tuned]
        held = [1 / (np.asarray(design.personas) * own * design.sessions) for own in seeds]  # of a session, by arm
        once = sum(held)
        shares = {
            "persona": 2 / np.asarray(design.personas, dtype=float),
            "seed": sum(tuned / own for tuned, own in zip(self.tuned, seeds, strict=True)),
            "session": once,
            "rater": 2 / np.asarray(design.raters, dtype=float),
            "wording": 2 / np.asarray(design.wordings, dtype=float),
            "rater-session": once / design.raters,
            "wording-session": once / design.wordings,
            "residual": once / (np.asarray(design.raters) * design.wordings * design.repeats),
        }
        for name, value in self.components.items():
            if name not in self.fixed:
                found[name] = np.asarray(value * shares[name], dtype=float)
        return found

    def error(self, design: Design) -> tuple[Array, Array]:
        """Variance of the difference, and the degrees of freedom of its t test; 0 where a facet's spread cannot be seen."""
        import numpy as np

        parts = self.parts(design)
        nothing = np.zeros(())
        variance = np.asarray(sum(parts.values(), nothing), dtype=float)
        below = {name: parts.get(name, nothing) for name in PARTS}
        sessions = sum((below[name] for name in ("session", "rater-session", "wording-session", "residual")), nothing)
        persons = (np.asarray(design.personas) - 1) * (1 if self.crossed else 2)
        streams = [  # what is seen of each facet's means: its own component with all that is averaged in them
            ("persona", below["persona"] + sessions, persons),
            ("seed", below["seed"] + sessions, (np.asarray(design.seeds) - 1) * sum(self.tuned)),
            ("rater", below["rater"] + below["rater-session"] + below["residual"], np.asarray(design.raters) - 1),
            (
                "wording",
                below["wording"] + below["wording-session"] + below["residual"],
                np.asarray(design.wordings) - 1,
            ),
        ]
        kept = [(seen, df) for name, seen, df in streams if name == "persona" or self._varies(name)]
        over = sum((seen for seen, _ in kept), nothing) - variance  # counted in several of them
        spread = sum((seen**2 / np.maximum(df, 1e-9) for seen, df in kept), nothing)
        if len(kept) > 1:
            spread = spread + over**2 / np.maximum(persons * np.maximum(1, sum(df for _, df in kept[1:])), 1e-9)
        df = np.where(variance > 0, variance**2 / np.maximum(spread, 1e-300), np.inf)
        lacking = np.any([np.broadcast_to(df_one < 1, variance.shape) for _, df_one in kept], axis=0)
        return variance, np.where(lacking, 0.0, df)

    def _varies(self, name: str) -> bool:
        """Whether a facet's spread between arms is in the model: a component of 0 is left out of a fit."""
        total = sum(self.components.values())
        return name not in self.fixed and self.components.get(name, 0.0) > SURELY * total

    def with_components(self, components: Mapping[str, float]) -> ArmContrast:
        """The same contrast with other components."""
        return replace(self, components=components)


@dataclass(frozen=True)
class Precision:
    """What is asked of a study."""

    alpha: float = 0.05
    power: float = 0.8

    def detectable(self, contrast: ArmContrast, design: Design) -> Array:
        """Smallest effect in points that is found with the power; infinite where no test can be made."""
        return _times_error(contrast, design, _noncentralities(self.alpha, self.power))

    def half_width(self, contrast: ArmContrast, design: Design) -> Array:
        """Half of the confidence interval at 1 - alpha, in points; infinite where there is none."""
        return _times_error(contrast, design, _quantiles(self.alpha))

    def power_of(self, contrast: ArmContrast, design: Design, effect: float) -> float:
        """Power of the t test of one design for an effect in points."""
        from cbtrun.power.formulas import power_of_t

        variance, df = contrast.error(design)
        return power_of_t(float(df), abs(effect) / float(variance) ** 0.5, self.alpha) if df >= 1 else 0.0


def _times_error(contrast: ArmContrast, design: Design, quantile: tuple[tuple[float, ...], tuple[float, ...]]) -> Array:
    import numpy as np

    variance, df = contrast.error(design)
    inverse, values = quantile
    factor = np.exp(np.interp(1 / np.maximum(df, 1.0), inverse, np.log(values)))
    return np.asarray(np.where(df >= 1 - 1e-9, factor * np.sqrt(variance), np.inf))


def _grid() -> list[float]:
    """1/df from 0 to 1, close together where t changes fast."""
    import numpy as np

    return [1e-6, *np.geomspace(1e-4, 1, 80)]


@lru_cache(maxsize=16)
def _quantiles(alpha: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from scipy.special import stdtrit

    grid = _grid()
    return tuple(grid), tuple(float(stdtrit(1 / one, 1 - alpha / 2)) for one in grid)


@lru_cache(maxsize=16)
def _noncentralities(alpha: float, power: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """1/df and the noncentrality at which a two-sided t test has the power."""
    import numpy as np
    from scipy.special import chdtri, ndtr, stdtrit

    inverse = np.array(_grid())
    df = 1 / inverse[:, None]
    chances = (np.arange(1000) + 0.5) / 1000
    edge = stdtrit(df, 1 - alpha / 2) * np.sqrt(
        chdtri(df, chances) / df
    )  # t times its error, over the error's distribution
    low, high = np.zeros(inverse.size), np.full(inverse.size, 200.0)
    for _ in range(50):
        middle = (low + high) / 2
        found = np.mean(ndtr(middle[:, None] - edge) + ndtr(-middle[:, None] - edge), axis=1)
        low, high = np.where(found < power, middle, low), np.where(found < power, high, middle)
    return tuple(inverse), tuple(high)
