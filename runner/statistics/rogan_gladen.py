"""The share of a yes in two levels, by a judge whose errors people's answers tell: Rogan-Gladen's estimate.

A judge who says yes to a share q, who sees a share `se` of the yes and rightly leaves out a share `sp` of the no, leads to
(q + sp - 1) / (se + sp - 1). Both shares are found at each level by itself, since a judge may favour one, from sessions that
people answered too. Errors are those of the delta method, summed over personas; for them one answer of each kind is added
to each count, as without it few answers look certain.

Source: Rogan & Gladen 1978, "Estimating prevalence from the results of a screening test"; Lang & Reiczigel 2014, "Confidence
limits for prevalence of disease adjusted for estimated sensitivity and specificity"; Lee et al. 2025, arXiv 2511.21140.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbtrun.errors import StatisticsError
from cbtrun.statistics.corrected import DrawnSessions, Estimate, session_shares

if TYPE_CHECKING:
    from cbtrun.statistics.samples import Array

LEAST = 0.2
"""Of se + sp - 1: a judge below it says little more than chance, and what is divided by it runs away."""


@dataclass(frozen=True)
class Answers:
    """How a judge answers at one level."""

    yes: float
    """Share of sessions that the judge says yes to."""
    sensitivity: float
    specificity: float

    @property
    def share(self) -> float:
        """Share of sessions that are a yes."""
        return (self.yes + self.specificity - 1) / self.youden

    @property
    def youden(self) -> float:
        """How far the judge is from chance: 1 is no error."""
        return self.sensitivity + self.specificity - 1


@dataclass(frozen=True)
class RoganGladen:
    """First level minus second, and how the judge answers at each."""

    difference: Estimate
    levels: tuple[Answers, Answers]


def rogan_gladen(drawn: DrawnSessions) -> RoganGladen:
    """The difference of two shares. judge: 0 or 1; people: share of them who say yes, each of whom is an answer.

    Raises StatisticsError where people saw no yes, or no no, at a level, and where the judge says little more than chance.
    """
    import numpy as np

    share = session_shares(drawn)
    personas = np.unique(drawn.persona, return_inverse=True)[1]
    sums = np.zeros(int(personas.max()) + 1)
    answers = []
    for side in (1.0, -1.0):
        here, moved = _level(drawn, share, side)
        answers.append(here)
        sums += side * np.bincount(personas, moved, minlength=sums.size)
    labelled = np.unique(personas[drawn.rated]).size
    df = labelled - 2
    if df < 1:
        raise StatisticsError(f"{labelled} labelled personas are too few")
    error = math.sqrt(float(sums @ sums) * labelled / df)
    return RoganGladen(Estimate(answers[0].share - answers[1].share, error, df), (answers[0], answers[1]))


def _level(drawn: DrawnSessions, share: Array, side: float) -> tuple[Answers, Any]:
    """How the judge answers at a level, and (n,) by how much each session moves the share of a yes there."""
    import numpy as np

    here, rated = drawn.side == side, drawn.rated & (drawn.side == side)
    judge, people, part = drawn.judge, np.where(rated, drawn.people, 0.0), share * rated
    one = part.sum() / max(int(rated.sum()), 1)
    true, false = people * part, (1 - people) * part
    if true.sum() <= 0 or false.sum() <= 0:
        raise StatisticsError(f"people saw no {'yes' if true.sum() <= 0 else 'no'} at a level")
    yes = float((drawn.weight * judge)[here].sum())
    kinds = ((true, judge), (false, 1 - judge))
    found = Answers(yes, *(_shared(kind, agreed, 0.0) for kind, agreed in kinds))
    if found.youden < LEAST:
        raise StatisticsError(
            f"the judge answers hardly better than chance at a level (se + sp - 1 = {found.youden:.2f})"
        )
    careful = Answers(yes, *(_shared(kind, agreed, one) for kind, agreed in kinds))
    level = min(max(found.share, 0.0), 1.0)
    of_true = true * (judge - careful.sensitivity) / true.sum()
    of_false = false * (1 - judge - careful.specificity) / false.sum()
    moved = here * drawn.weight * (judge - yes) - level * of_true + (1 - level) * of_false
    return found, moved / found.youden


def _shared(kind: Array, agreed: Array, added: float) -> float:
    """Share of a kind's answers that the judge shares. added: weight of the answers of each sort that are added."""
    return float(((kind * agreed).sum() + added) / (kind.sum() + 2 * added))
