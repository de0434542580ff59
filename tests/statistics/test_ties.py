"""Values that differ by rounding alone are tied: every rank of persona means is the rank of exact fractions."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from cbtrun.reliability.krippendorff import krippendorff_alpha
from cbtrun.results.diagnostics import _spearman
from cbtrun.statistics.effect_sizes import auc, cliffs_delta, rank_biserial
from cbtrun.statistics.omnibus import friedman, kruskal_wallis
from cbtrun.statistics.ordinal import proportional_odds
from cbtrun.statistics.paired import wilcoxon_test
from cbtrun.statistics.pairwise import dunn, nemenyi
from cbtrun.statistics.ties import tied, tied_differences
from cbtrun.statistics.two_groups import mann_whitney_test


def means(draw: np.random.Generator, shape: tuple[int, ...], ratings: int) -> tuple[np.ndarray, np.ndarray]:
    """Totals of so many ratings as whole points, and their means as floats, each summed in an order of its own."""
    singles = draw.integers(20, 24, (*shape, ratings))
    floats = np.empty(shape)
    for at in np.ndindex(shape):
        order = draw.permutation(singles[at])
        # Means of parts, weighted: the same fraction on another way through the floats.
        cut = int(draw.integers(1, ratings))
        floats[at] = order[:cut].mean() * (cut / ratings) + order[cut:].mean() * (1 - cut / ratings)
    return singles.sum(axis=-1).astype(float), floats


TABLES: dict[str, Callable[[np.ndarray], Any]] = {
    "Wilcoxon": lambda table: wilcoxon_test(table[:, 0] - table[:, 1]).test,
    "rank-biserial": lambda table: rank_biserial(table[:, 0] - table[:, 1]).effect,
    "Mann-Whitney": lambda table: mann_whitney_test(table[:, 0], table[:, 1]).test,
    "AUC": lambda table: auc(table[:, 0], table[:, 1]).effect,
    "Cliff's delta": lambda table: cliffs_delta(table[:, 0], table[:, 1]).effect,
    "Kruskal-Wallis": lambda table: kruskal_wallis(table.T).test,
    "Friedman": lambda table: friedman(table).test,
    "Dunn": lambda table: dunn(list(table.T)),
    "Nemenyi": lambda table: nemenyi(table),
    "ordinal alpha": lambda table: krippendorff_alpha(table, "ordinal").value,
    "rank correlation": lambda table: _spearman([(a, b) for a, b, _ in table.tolist()]),
    "cumulative odds": lambda table: proportional_odds(table[:, 0], table[:, 1]).single_cuts,
}


@pytest.mark.parametrize("ratings", [3, 7])
@pytest.mark.parametrize("ranked", TABLES)
def test_ranks_of_means_are_those_of_the_exact_sums(ranked: str, ratings: int) -> None:
    for seed in range(1 if ranked == "cumulative odds" else 3):  # a fit each
        whole, floats = means(np.random.default_rng(seed), (12, 3), ratings)
        assert (np.unique(floats).size > np.unique(whole).size) or ratings != 7  # the fault is there to be made
        assert TABLES[ranked](floats) == TABLES[ranked](whole)


def test_six_differences_of_a_third_are_tied() -> None:
    # R 4.2.2: wilcox.test(c(1, 1, 1, 1, 1, -1), exact = FALSE) gives V = 17.5, p = 0.1294.
    first = [(10, 10, 11), (20, 20, 21), (33, 33, 34), (41, 41, 42), (51, 51, 52), (17, 17, 17)]
    second = [(10, 10, 10), (20, 20, 20), (33, 33, 33), (41, 41, 41), (51, 51, 51), (17, 17, 18)]
    differences = [math.fsum(a) / 3 - math.fsum(b) / 3 for a, b in zip(first, second, strict=True)]
    assert len(set(map(abs, differences))) > 1
    test = wilcoxon_test(differences).test
    assert test is not None
    assert (test.statistic, round(test.p, 4)) == (17.5, 0.1294)


def test_differences_that_are_rounding_alone_are_zero() -> None:
    noise = [0.1 + 0.2 - 0.3, 0.3 - (0.1 + 0.2), 0.7 + 0.1 - 0.8, 1e-14]
    test = wilcoxon_test(noise).test
    assert test is not None
    assert (test.p, test.method) == (1.0, "all differences are zero")
    assert rank_biserial(noise).effect is None


def test_small_points_keep_their_order() -> None:
    steps = [float(Fraction(at, 1000)) for at in (1, 2, 3, 5)]
    assert tied(np.array(steps)).tolist() == steps
    assert tied_differences(np.array([-0.002, 0.001])).tolist() == [-0.002, 0.001]


def test_ties_do_not_hang_on_where_a_digit_ends() -> None:
    # 1 / 1024 ends in a 5 at the tenth decimal: rounding to nine would part its neighbours.
    edge = 1 / 1024
    assert np.unique(tied(np.array([1.0, np.nextafter(edge, 0), edge, np.nextafter(edge, 1)]))).size == 2
