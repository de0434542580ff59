"""May a judge stand in for a person? The alternative-annotator test: does it side with the others as well as one of them does?

Each person is left out in turn. On every session that they and others rated, the judge and the person left out are held
against the others; the one who is nearer, ties for both, has the better of it. The person keeps their place unless the judge
is better by more than -epsilon: what a person costs more is allowed for. The winning rate is the share of people whom the
judge may stand in for (p by Benjamini-Yekutieli, since people are not independent); from half of them on it passes.

Source: Calderon, Reichart & Dror 2025, "The alternative annotator test for LLM-as-a-judge", ACL 2025 (arXiv 2501.10970): its
t test from 30 sessions on, Wilcoxon's signed ranks for fewer. Checked against their published code (github.com/nitaytech/AltTest).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cbtrun.errors import StatisticsError

if TYPE_CHECKING:
    from cbtrun.reliability.icc import Table
    from cbtrun.statistics.samples import Array

Alignment = Literal["rmse", "accuracy"]
"""How near scores are to the others': root of the mean squared distance, or share of the others who say the same."""
FEWEST_PEOPLE = 3
FEWEST_SESSIONS = 6
"""Sessions of a person below which the signed ranks cannot reach any level."""
FOR_T = 30
"""Sessions from which on the test is t's."""
PASSES, Q = 0.5, 0.05
TIED = 1e-9


@dataclass(frozen=True)
class LeftOut:
    """One person, held against the judge."""

    person: int
    """Column."""
    sessions: int
    advantage: float
    """Share of sessions on which the judge is as near to the others, or nearer."""
    p: float
    """That the judge is not better than the person by more than -epsilon; raw."""
    rejected: bool
    """Whether the judge may stand in for this person."""


@dataclass(frozen=True)
class AlternativeAnnotator:
    """What the test comes to."""

    people: tuple[LeftOut, ...]
    test: str
    """`t`, `wilcoxon`, or both, `mixed`."""

    @property
    def winning_rate(self) -> float:
        """Share of people whom the judge may stand in for."""
        return sum(one.rejected for one in self.people) / len(self.people)

    @property
    def advantage(self) -> float:
        """Mean chance that the judge is as near to the others as a person is."""
        return math.fsum(one.advantage for one in self.people) / len(self.people)

    @property
    def passes(self) -> bool:
        """Whether the judge may stand in for people at this epsilon."""
        return self.winning_rate >= PASSES


def alternative_annotator(people: Table, judge: Array, epsilon: float, alignment: Alignment) -> AlternativeAnnotator:
    """The test of one judge. people (sessions, people), judge (sessions,): points; NaN where somebody did not rate.

    Raises StatisticsError for fewer than three people, or too few sessions.
    """
    import numpy as np

    if people.shape[1] < FEWEST_PEOPLE:
        raise StatisticsError(f"needs {FEWEST_PEOPLE} people; there are {people.shape[1]}")
    used = ~np.isnan(judge) & ((~np.isnan(people)).sum(axis=1) > 1)
    people, judge = people[used], judge[used]
    found, tests = [], set()
    for person in range(people.shape[1]):
        there = ~np.isnan(people[:, person])
        if there.sum() < FEWEST_SESSIONS:
            continue
        others = np.delete(people[there], person, axis=1)
        of_judge = _alignment(judge[there], others, alignment)
        of_person = _alignment(people[there, person], others, alignment)
        better, worse = of_judge >= of_person - TIED, of_person >= of_judge - TIED
        test, p = _test(worse.astype(float) - better, epsilon)
        tests.add(test)
        found.append(LeftOut(person, int(there.sum()), float(better.mean()), p, rejected=False))
    if len(found) < FEWEST_PEOPLE:
        raise StatisticsError(f"fewer than {FEWEST_PEOPLE} people rated {FEWEST_SESSIONS} sessions with others")
    rejected = _benjamini_yekutieli([one.p for one in found])
    people_found = tuple(
        LeftOut(one.person, one.sessions, one.advantage, one.p, rejected=won)
        for one, won in zip(found, rejected, strict=True)
    )
    return AlternativeAnnotator(people_found, tests.pop() if len(tests) == 1 else "mixed")


def _alignment(values: Array, others: Table, alignment: Alignment) -> Array:
    """(sessions,) how near each value is to the others' of its session; higher is nearer."""
    import numpy as np

    there = ~np.isnan(others)
    distance = others - values[:, None]
    if alignment == "accuracy":
        return np.asarray((there & (np.abs(distance) < TIED)).sum(axis=1) / there.sum(axis=1))
    return np.asarray(-np.sqrt((np.where(there, distance, 0.0) ** 2).sum(axis=1) / there.sum(axis=1)))


def _test(differences: Array, epsilon: float) -> tuple[str, float]:
    """Name and p of the one-sided test that the mean difference lies below epsilon."""
    import numpy as np
    from scipy.stats import ttest_1samp, wilcoxon

    name = "t" if differences.size >= FOR_T else "wilcoxon"
    if np.ptp(differences) == 0 and name == "t":
        return name, 0.0 if differences[0] < epsilon else 1.0
    if name == "t":
        return name, float(ttest_1samp(differences, epsilon, alternative="less").pvalue)
    shifted = np.round(differences - epsilon, 9)
    if not (shifted != 0).any():
        return name, 1.0
    return name, float(wilcoxon(shifted, alternative="less", method="asymptotic", correction=True).pvalue)


def _benjamini_yekutieli(p: list[float]) -> list[bool]:
    """Which hypotheses are rejected at a false discovery rate of 0.05 whatever their dependence."""
    order = sorted(range(len(p)), key=p.__getitem__)
    scale = len(p) * math.fsum(1 / at for at in range(1, len(p) + 1))
    last = max((rank for rank, at in enumerate(order, start=1) if p[at] <= rank * Q / scale), default=0)
    kept = {*order[:last]}
    return [at in kept for at in range(len(p))]
