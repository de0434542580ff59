"""Many comparisons: p adjusted over a declared family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cbtrun.errors import StatisticsError

Correction = Literal["holm", "bh", "none"]


def adjusted_p(p: Sequence[float], correction: Correction) -> list[float]:
    """Adjusted p in the order given: Holm (family-wise error) or Benjamini-Hochberg (false discovery rate).

    Source: Holm 1979; Benjamini & Hochberg 1995; as statsmodels has them. Raises StatisticsError outside 0 to 1.
    """
    from statsmodels.stats.multitest import multipletests

    if not all(0 <= one <= 1 for one in p):
        raise StatisticsError("p must lie between 0 and 1")
    if not p or correction == "none":
        return list(p)
    method = "holm" if correction == "holm" else "fdr_bh"
    return [min(1.0, float(one)) for one in multipletests(list(p), method=method)[1]]
