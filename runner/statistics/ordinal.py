"""Single items as what they are, ordered categories: the proportional-odds model for two levels."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.contract.records import Effect, Interval, Test
from cbtrun.statistics.samples import LEVEL, as_sample
from cbtrun.statistics.ties import tied_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbtrun.statistics.samples import Array


@dataclass(frozen=True)
class ProportionalOdds:
    """Odds ratio of a higher score, first level against second, or why there is none."""

    effect: Effect | None
    test: Test | None
    single_cuts: tuple[float, ...] = ()
    """Odds ratios at each cut point by itself (0.5 added to each cell): alike where the model holds."""
    note: str | None = None


def proportional_odds(
    first: Sequence[float] | Array,
    second: Sequence[float] | Array,
    clusters: tuple[Sequence[str], Sequence[str]] | None = None,
) -> ProportionalOdds:
    """Cumulative logit with one term for the level, by maximum likelihood.

    clusters: the persona of each value. With them the standard error is the cluster-robust sandwich with G / (G - 1),
    and t with G - 1 degrees of freedom replaces z. Source: McCullagh 1980, as statsmodels has it; Liang & Zeger 1986.
    """
    import numpy as np

    a, b = tied_groups([as_sample(first), as_sample(second)])
    if a.size == 0 or b.size == 0:
        return ProportionalOdds(None, None, note="proportional odds: a group has no value")
    values, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
    if values.size < 2:
        return ProportionalOdds(None, None, note="proportional odds: all values are equal")
    if a.min() >= b.max() or b.min() >= a.max():
        return ProportionalOdds(
            None, None, note="proportional odds: the groups do not overlap, so the odds have no end"
        )
    level = np.concatenate([np.ones(a.size), np.zeros(b.size)])
    names = None if clusters is None else np.unique([*clusters[0], *clusters[1]], return_inverse=True)[1]
    slope, error, df = _fit(codes, level, names)
    cuts = tuple(_odds_at(a, b, cut) for cut in values[1:])
    if error is None:
        return ProportionalOdds(None, None, cuts, "proportional odds: the model did not converge")
    return ProportionalOdds(*_inference(slope, error, df), cuts)


def _fit(codes: NDArray[Any], level: Array, clusters: NDArray[Any] | None) -> tuple[float, float | None, float | None]:
    """Slope, its standard error (none without convergence) and degrees of freedom (none for z)."""
    import numpy as np
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence is looked at below, not left to a warning
        model = OrderedModel(codes, level[:, None], distr="logit")
        found = model.fit(method="bfgs", maxiter=500, gtol=1e-9, disp=False)
        bread = np.linalg.pinv(-model.hessian(found.params))
        gradient = float(np.abs(model.score(found.params)).max())
        if clusters is None:
            covariance, df = bread, None
        else:
            scores = model.score_obs(found.params)  # (n, parameters)
            count = int(clusters.max()) + 1
            sums = np.zeros((count, scores.shape[1]))
            np.add.at(sums, clusters, scores)
            covariance = bread @ (sums.T @ sums) @ bread * (count / (count - 1) if count > 1 else np.nan)
            df = float(count - 1)
    variance = float(covariance[0, 0])
    converged = gradient < 1e-3 and math.isfinite(variance) and variance > 0
    return float(found.params[0]), math.sqrt(variance) if converged else None, df


def _inference(slope: float, error: float, df: float | None) -> tuple[Effect, Test]:
    from scipy.stats import norm, t

    law = norm if df is None else t(df)
    half = float(law.ppf((1 + LEVEL) / 2)) * error
    method = "Wald" if df is None else "Wald, cluster-robust by persona"
    interval = Interval(low=math.exp(slope - half), high=math.exp(slope + half), method=method)
    p = 2 * float(law.sf(abs(slope / error)))
    test = Test(name="proportional-odds", statistic=slope / error, df=df, p=p, method=method)
    return Effect(name="odds_ratio", value=math.exp(slope), interval=interval), test


def _odds_at(first: Array, second: Array, cut: float) -> float:
    high = [float((sample >= cut).sum()) + 0.5 for sample in (first, second)]
    low = [float((sample < cut).sum()) + 0.5 for sample in (first, second)]
    return high[0] * low[1] / (low[0] * high[1])
