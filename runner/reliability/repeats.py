"""How far one rater's repeats of a session scatter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cbtrun.contract.records import Interval
from cbtrun.statistics.samples import LEVEL, Estimated

if TYPE_CHECKING:
    from cbtrun.reliability.icc import Table


def within_session_sd(table: Table) -> Estimated:
    """SD of repeated scores of one session, in points, pooled over sessions; each session counts by its repeats - 1.

    table: (sessions, repeats), NaN where missing. Interval by chi-squared, which assumes normal errors.
    Source: Bland & Altman 1996, "Measurement error", BMJ 313:744.
    """
    import numpy as np
    from scipy.stats import chi2

    there = ~np.isnan(table)
    counts = there.sum(axis=1)
    several = counts > 1
    df = int((counts[several] - 1).sum())
    if df < 1:
        return Estimated(None, note="no session has two scores")
    rows = np.where(there, table, 0.0)[several]
    means = rows.sum(axis=1) / counts[several]
    squares = float((np.where(there[several], rows - means[:, None], 0.0) ** 2).sum())
    low, high = (math.sqrt(squares / float(chi2.ppf(tail, df))) for tail in ((1 + LEVEL) / 2, (1 - LEVEL) / 2))
    interval = Interval(low=low, high=high, level=LEVEL, method="chi-squared")
    if squares <= 0:
        return Estimated(0.0, note="no interval: repeats never differ")
    return Estimated(math.sqrt(squares / df), interval)
