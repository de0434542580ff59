"""Every pair of several levels: the difference of means, its test, and how p is corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from cbtrun.contract.records import Test
from cbtrun.statistics import effect_sizes, paired, pairwise, two_groups
from cbtrun.statistics.samples import Estimated, Sized

if TYPE_CHECKING:
    from cbtrun.statistics.omnibus import Blocks


@dataclass(frozen=True)
class PairOfLevels:
    """What is known about one pair of levels."""

    estimated: Estimated
    sized: Sized
    test: Test | None
    n: int
    unit: str = ""
    """Unit of analysis, where it differs from that of all levels together."""
    correction: str = ""
    """Set where the test itself corrects over the pairs; empty: p is corrected with the block's family."""
    family: int = 0


def pairs_within(blocks: Blocks, method: str) -> list[PairOfLevels]:
    """Pairs of levels within personas by `paired-t` or `nemenyi`; none for `none`. blocks (personas, levels)."""
    if method == "none":
        return []
    pairs = list(combinations(range(blocks.shape[1]), 2))
    ranked = pairwise.nemenyi(blocks) if method == "nemenyi" else {}
    made = []
    for i, j in pairs:
        differences = blocks[:, i] - blocks[:, j]
        common = (paired.mean_of_differences(differences), effect_sizes.dz(differences))
        n, unit = int(blocks.shape[0]), "pair of one persona"
        if method == "nemenyi":
            made.append(PairOfLevels(*common, ranked[i, j], n, unit, "nemenyi", len(pairs)))
        else:
            made.append(PairOfLevels(*common, paired.paired_t_test(differences).test, n, unit))
    return made


def pairs_between(groups: Sequence[Sequence[float]], method: str) -> list[PairOfLevels]:
    """Pairs of independent groups by `games-howell`, `tukey` or `dunn`; none for `none`."""
    if method == "none":
        return []
    pairs = list(combinations(range(len(groups)), 2))
    sizes = {(i, j): effect_sizes.hedges_g(groups[i], groups[j]) for i, j in pairs}
    n = {(i, j): len(groups[i]) + len(groups[j]) for i, j in pairs}
    if method == "dunn":
        ranked = pairwise.dunn(groups)
        return [
            PairOfLevels(two_groups.mean_difference(groups[i], groups[j]), sizes[i, j], ranked[i, j], n[i, j])
            for i, j in pairs
        ]
    found = pairwise.tukey(groups, equal_variances=method == "tukey")
    return [
        PairOfLevels(found[pair][1], sizes[pair], found[pair][0], n[pair], "", method, len(pairs)) for pair in pairs
    ]
