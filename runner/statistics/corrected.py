"""A judge's difference of two levels, corrected by people who rated sessions that were drawn with known chances.

The judge scored every session, people those that were drawn. People's mean tells the level without the judge's bias; the
judge's scores of all sessions, against those of the drawn ones, tell how the draw fell, and take that out. How much of
them is taken (the slope) comes from the drawn personas themselves: of a judge who says nothing about people it is about 0.

With one chance for all this is prediction-powered inference with its power tuned (PPI++), which is the regression
estimator of double sampling; with chances that differ it is design-based supervised learning, weights normed by stratum.
Personas are the clusters, and every interval is t's: z's is too short with 12 of them (benchmarks/corrected.py).

Source: Angelopoulos et al. 2023, "Prediction-powered inference", Science 382; Angelopoulos, Duchi & Zrnic 2023, "PPI++";
Egami et al. 2023, "Using imperfect surrogates for downstream inference"; Cochran 1977, "Sampling techniques", chapter 12;
Bell & McCaffrey 2002 (residuals by their leverage). Not here: designs that draw by what the judge said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.contract.records import Interval, Test
from cbtrun.errors import StatisticsError
from cbtrun.statistics.samples import LEVEL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cbtrun.statistics.samples import Array

    Codes = NDArray[np.int64]

FEWEST = 8
"""Labelled personas below which nothing is corrected: there is no cell of the simulation for them."""
METHOD = "t, clustered by persona"
LEAST = 1e-3
"""Of what a persona's leverage leaves: a persona alone in its stratum has no residual."""


@dataclass(frozen=True)
class DrawnSessions:
    """Sessions of two levels, (n,) each."""

    persona: Codes
    """Its cluster."""
    side: Array
    """1 at the first level, -1 at the second."""
    stratum: Codes
    """Sessions of one stratum and level were drawn alike."""
    weight: Array
    """Part of the session in its level's mean; adds up to 1 in each level."""
    chance: Array
    """Of having been drawn; only their ratios within a stratum matter."""
    judge: Array
    """The judge's score, in points."""
    people: Array
    """The mean of people's, in points; NaN where nobody rated it."""

    @property
    def rated(self) -> NDArray[np.bool_]:
        """Which sessions people rated."""
        import numpy as np

        return np.asarray(~np.isnan(self.people))


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and degrees of freedom."""

    value: float
    error: float
    df: float

    def interval(self) -> Interval | None:
        """At 95 %; none without spread, which shows no certainty."""
        from scipy.stats import t

        if not (self.error > 0 and self.df > 0 and math.isfinite(self.error)):
            return None
        half = float(t.ppf((1 + LEVEL) / 2, self.df)) * self.error
        return Interval(low=self.value - half, high=self.value + half, method=METHOD)

    def test(self) -> Test | None:
        """Of a value of 0, two-sided."""
        from scipy.stats import t

        if not (self.error > 0 and self.df > 0 and math.isfinite(self.error)):
            return None
        statistic = self.value / self.error
        return Test(name="corrected-t", statistic=statistic, df=self.df, p=2 * float(t.sf(abs(statistic), self.df)))


@dataclass(frozen=True)
class CorrectedDifference:
    """First level minus second, three times, and by how much the judge is off."""

    judge: Estimate
    """By the judge's scores of all sessions."""
    people: Estimate
    """By people's of those that they rated."""
    corrected: Estimate
    bias: Estimate
    """Judge minus people in the difference, on the sessions that both scored."""
    bias_by_level: tuple[Estimate, Estimate]
    """Judge minus people at each level."""
    slope: float
    """Points of people's that go with a point of the judge's, within levels."""
    personas: int
    """Labelled ones: clusters."""


def corrected_difference(drawn: DrawnSessions, slope: float | None = None) -> CorrectedDifference:
    """The difference by judge, by people and corrected. slope: fixed beforehand; found from the labelled personas if None.

    Raises StatisticsError where a stratum has no rated session, or the labelled personas are too few for an error.
    """
    import numpy as np

    rated, share = drawn.rated, session_shares(drawn)
    labelled = _Clusters.of(drawn, rated, share)
    if labelled.free < 2:
        raise StatisticsError(f"{labelled.count} labelled personas are too few")
    by_judge = labelled.centred_sums(drawn.judge[rated])
    by_people = labelled.centred_sums(drawn.people[rated])
    spread = float(by_judge @ by_judge)
    there = spread > 1e-12 * max(1.0, float(drawn.judge[rated] @ drawn.judge[rated])) / labelled.count
    is_found = slope is None and there  # a judge who says the same of all sessions has no slope
    slope = (float(by_people @ by_judge) / spread if there else 0.0) if slope is None else slope
    everyone = _Clusters.of(drawn, np.ones_like(rated), drawn.weight)
    of_all = float((drawn.side * drawn.weight) @ drawn.judge)
    of_there, of_people = (float((drawn.side * share)[rated] @ values[rated]) for values in (drawn.judge, drawn.people))
    free = labelled.free - is_found
    found = by_judge**2 / spread if is_found else np.zeros_like(by_judge)
    square = _squared_error(drawn, share, labelled, slope, found)
    if is_found:  # the slope is not known: the more so, the farther the drawn sessions lie from all
        rest = by_people - slope * by_judge
        square += float(rest @ rest) / free / spread * (of_all - of_there) ** 2
    return CorrectedDifference(
        judge=Estimate(of_all, everyone.error(everyone.centred_sums(drawn.judge)), everyone.free),
        people=Estimate(of_people, labelled.error(by_people), labelled.free),
        corrected=Estimate(of_people + slope * (of_all - of_there), math.sqrt(square), free),
        bias=Estimate(of_there - of_people, labelled.error(by_judge - by_people), labelled.free),
        bias_by_level=(_bias_at(drawn, share, 1.0), _bias_at(drawn, share, -1.0)),
        slope=slope,
        personas=labelled.count,
    )


def _squared_error(drawn: DrawnSessions, share: Array, labelled: _Clusters, slope: float, found: Array) -> float:
    """Of the corrected difference at a slope: labelled personas and the others are two samples, each with its spread.

    found: (labelled personas,) leverage of the slope.
    """
    import numpy as np

    rated = drawn.rated
    sums = labelled.centred_sums(drawn.people[rated])
    # What a labelled session's judge score counts: in the mean of all, and against the mean of the labelled.
    weights = drawn.side[rated] * slope * (drawn.weight - share)[rated]
    sums = sums + labelled.sums(weights * labelled.centred(drawn.judge[rated]))
    if rated.all():
        return float((sums**2 / np.maximum(1 - labelled.leverage, LEAST)).sum())
    others = _Clusters.of(drawn, ~rated, drawn.weight)
    of_others = slope * others.centred_sums(drawn.judge[~rated])
    both = np.isin(others.names, labelled.names)  # personas of whom people rated some sessions
    sums[np.searchsorted(labelled.names, others.names[both])] += of_others[both]
    left = np.maximum(1 - others.leverage[~both], LEAST)
    return float(
        (sums**2 / np.maximum(1 - labelled.leverage - found, LEAST)).sum() + (of_others[~both] ** 2 / left).sum()
    )


def _bias_at(drawn: DrawnSessions, share: Array, side: float) -> Estimate:
    """Judge minus people at one level."""
    here = drawn.rated & (drawn.side == side)
    clusters = _Clusters.of(drawn, here, share)
    off = drawn.judge[here] - drawn.people[here]
    error = clusters.error(clusters.centred_sums(off)) if clusters.free > 0 else 0.0
    return Estimate(float(share[here] @ off), error, max(clusters.free, 0))


def session_shares(drawn: DrawnSessions) -> Array:
    """Part of each rated session in its level's mean: by its chance, normed in each stratum; 0 where it is not rated."""
    import numpy as np

    cells = _cells(drawn)
    raw = np.where(drawn.rated, drawn.weight / drawn.chance, 0.0)
    wanted, there = np.bincount(cells, drawn.weight), np.bincount(cells, raw)
    if (there[wanted > 0] <= 0).any():
        raise StatisticsError("a stratum of a level has no rated session")
    return np.asarray(raw * (wanted / np.where(there > 0, there, 1.0))[cells])


def _cells(drawn: DrawnSessions) -> Codes:
    """(n,) number of each session's level and stratum."""
    import numpy as np

    pairs = np.stack([drawn.stratum, (drawn.side > 0).astype(np.int64)])
    return np.asarray(np.unique(pairs, axis=1, return_inverse=True)[1]).reshape(-1)


@dataclass(frozen=True)
class _Clusters:
    """Sessions by persona, for sums over each."""

    names: Codes
    """(count,) which personas."""
    codes: Codes
    """(n,) of the sessions."""
    cells: Codes
    """(n,) level and stratum."""
    side: Array
    share: Array
    count: int
    leverage: Array
    """(count,) of the means of the cells."""
    free: int
    """Degrees of freedom: personas without the means that can be told apart."""

    @classmethod
    def of(cls, drawn: DrawnSessions, kept: Any, share: Array) -> _Clusters:
        import numpy as np

        names, codes = np.unique(drawn.persona[kept], return_inverse=True)
        cells = np.unique(_cells(drawn)[kept], return_inverse=True)[1]
        table = np.zeros((names.size, int(cells.max(initial=0)) + 1))
        np.add.at(table, (codes, cells), (drawn.side * share)[kept])
        left, sizes, _ = np.linalg.svd(table, full_matrices=False)
        basis = left[:, sizes > 1e-9 * max(sizes.max(initial=0.0), 1e-300)]
        return cls(
            names,
            codes,
            cells,
            drawn.side[kept],
            share[kept],
            int(names.size),
            (basis**2).sum(axis=1),
            int(names.size - basis.shape[1]),
        )

    def centred(self, values: Array) -> Array:
        """(n,) the sessions' values from the means of their cells."""
        import numpy as np

        means = np.bincount(self.cells, self.share * values) / np.bincount(self.cells, self.share)
        return np.asarray(values - means[self.cells])

    def sums(self, values: Array) -> Array:
        """(count,) of each persona's sessions."""
        import numpy as np

        return np.asarray(np.bincount(self.codes, values, minlength=self.count))

    def centred_sums(self, values: Array) -> Array:
        """(count,) signed and weighted, from the means of the cells."""
        return self.sums(self.side * self.share * self.centred(values))

    def error(self, sums: Array) -> float:
        """Standard error of the sum of all personas' sums."""
        import numpy as np

        return math.sqrt(float((sums**2 / np.maximum(1 - self.leverage, LEAST)).sum()))
