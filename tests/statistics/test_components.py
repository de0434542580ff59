"""Variance components of balanced designs: published tables to the printed digits, and recovery."""

from __future__ import annotations

import numpy as np
import pytest

from cbtrun.errors import StatisticsError
from cbtrun.statistics.components import balanced_components

# Brennan 2001, "Generalizability Theory", Table 3.1: synthetic data set 3, persons x items x occasions.
FIRST = [
    [2, 4, 5, 5, 4, 4, 2, 3, 0, 6],
    [6, 5, 5, 9, 3, 4, 6, 4, 5, 8],
    [7, 6, 4, 8, 5, 4, 6, 4, 4, 7],
    [5, 7, 6, 6, 6, 7, 5, 5, 5, 6],
]
SECOND = [
    [2, 6, 5, 5, 4, 6, 2, 6, 5, 6],
    [5, 7, 4, 7, 5, 4, 7, 6, 5, 8],
    [5, 5, 5, 7, 6, 7, 7, 6, 5, 8],
    [5, 7, 5, 6, 4, 8, 5, 4, 3, 6],
]
# Table 3.2: synthetic data set 4, persons x (raters : tasks).
RATERS = [
    *([5, 9, 3, 7, 9, 3, 7, 5, 9, 4], [6, 3, 4, 5, 2, 4, 3, 8, 9, 4], [5, 7, 3, 5, 9, 3, 7, 5, 8, 4]),
    *([5, 7, 3, 3, 7, 5, 7, 7, 8, 3], [5, 7, 5, 3, 7, 3, 7, 7, 6, 3], [3, 5, 3, 1, 7, 3, 5, 5, 6, 5]),
    *([4, 5, 3, 4, 3, 6, 5, 5, 6, 6], [5, 5, 5, 3, 7, 3, 7, 4, 5, 5], [6, 7, 6, 5, 2, 4, 5, 3, 5, 5]),
    *([7, 7, 5, 3, 7, 5, 5, 2, 8, 7], [3, 5, 1, 3, 5, 1, 5, 1, 1, 1], [3, 2, 6, 5, 3, 2, 4, 1, 1, 1]),
]


def named(found: dict[frozenset[str], float]) -> dict[str, float]:
    return {"".join(sorted(effect)): round(value, 4) for effect, value in found.items()}


def test_crossed_facets_have_the_components_that_brennan_prints() -> None:
    found = balanced_components(np.array([FIRST, SECOND], dtype=float), "oip", {})
    # p, i, o, pi, po, io, pio
    printed = {"p": 0.5528, "i": 0.4417, "o": 0.0074, "ip": 0.5750, "op": 0.1009, "io": 0.1565, "iop": 0.9352}
    assert named(found.components) == printed
    squares = dict(zip(["".join(sorted(one)) for one in found.effects], found.mean_squares, strict=True))
    assert squares["p"] == pytest.approx(6.9111, abs=5e-5)
    assert squares["iop"] == pytest.approx(0.9352, abs=5e-5)


def test_nested_facets_have_the_components_that_brennan_prints() -> None:
    table = np.array(RATERS, dtype=float).reshape(3, 4, 10)  # (task, rater, person)
    found = balanced_components(table, "trp", {"r": "t"})
    assert named(found.components) == {"p": 0.4731, "t": 0.3252, "rt": 0.6475, "pt": 0.5596, "prt": 2.3802}
    assert dict(zip(map(len, found.effects), found.df, strict=True))[3] == 81


def test_a_facet_of_one_level_has_no_component() -> None:
    found = balanced_components(np.array([FIRST], dtype=float), "oip", {})
    assert {"".join(sorted(one)) for one in found.effects} == {"i", "p", "ip"}


def test_a_few_gaps_are_filled_and_cost_degrees_of_freedom() -> None:
    table = np.array([FIRST, SECOND], dtype=float)
    kept = [frozenset("p"), frozenset("i"), frozenset("o")]
    whole = balanced_components(table, "oip", {}, kept)
    table[0, 1, 3] = np.nan
    gap = balanced_components(table, "oip", {}, kept)
    assert gap.df[-1] == whole.df[-1] - 1
    assert named(gap.components)["p"] == pytest.approx(named(whole.components)["p"], abs=0.15)


def test_what_the_model_leaves_out_goes_to_the_smallest_effect_that_holds_it() -> None:
    table = np.array([FIRST, SECOND], dtype=float)
    found = balanced_components(table, "oip", {}, [frozenset("p"), frozenset("ip")])
    assert [len(one) for one in found.effects] == [1, 2, 3]
    assert found.df == (9, 30, 40)


def test_a_design_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(StatisticsError, match="degrees of freedom"):
        balanced_components(np.array([[1.0, np.nan], [2.0, 3.0]]), "ab", {})


def test_drawn_components_cover_the_true_ones() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for study in range(200):
        table = rng.normal(size=(10, 1)) * 2 + rng.normal(size=(10, 4))
        drawn = balanced_components(table, "pi", {}, [frozenset("p")]).drawn(400, study)
        low, high = np.quantile(drawn[:, 0], [0.025, 0.975])
        covered += low <= 4.0 <= high
    assert 0.91 <= covered / 200 <= 0.99
