"""Designs by cost and by what they find: variance of a contrast, the search, the frontier."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cbtrun.power.design_search import UnitCosts, needed_personas, search
from cbtrun.power.designs import ArmContrast, Design, Precision

PARTS = {"persona": 2.0, "seed": 1.5, "session": 3.0, "rater": 1.0, "wording": 0.5, "rater-session": 1.0}
PARTS |= {"wording-session": 0.7, "residual": 2.0}
COSTS = UnitCosts(session=0.5, rating=0.1, plain_arms=2)


def test_the_variance_of_a_contrast_is_the_sum_that_theory_gives() -> None:
    design = Design(10, 3, 2, 4, 2, 3)
    sessions = 10 * 3 * 2
    expected = 2 * (
        2.0 / 10 + 1.5 / 3 + 3.0 / sessions + 1.0 / 4 + 0.5 / 3 + 1.0 / (4 * sessions) + 0.7 / (3 * sessions)
    ) + 2 * 2.0 / (sessions * 4 * 2 * 3)  # fmt: skip
    contrast = ArmContrast(PARTS, tuned=(True, True))
    assert float(contrast.error(design)[0]) == pytest.approx(expected)


def test_an_arm_that_is_not_tuned_has_no_spread_of_tunings_and_fewer_sessions() -> None:
    parts = ArmContrast({"seed": 1.5, "session": 3.0}, tuned=(True, False)).parts(Design(10, 3, 2, 1, 1, 1))
    assert float(parts["seed"]) == pytest.approx(1.5 / 3)
    assert float(parts["session"]) == pytest.approx(3.0 / 60 + 3.0 / 20)


def test_what_is_held_fixed_is_in_no_error() -> None:
    design = Design(10, 1, 1, 3, 1, 1)
    parts = ArmContrast(PARTS, fixed=frozenset({"rater", "wording"})).parts(design)
    assert "rater" not in parts
    assert "rater-session" in parts


def test_one_rater_of_raters_that_differ_cannot_be_tested() -> None:
    precision = Precision()
    assert np.isinf(precision.detectable(ArmContrast({"session": 3.0, "rater": 1.0}), Design(10, 1, 1, 1, 1, 1)))
    assert np.isfinite(precision.detectable(ArmContrast({"session": 3.0, "rater": 0.0}), Design(10, 1, 1, 1, 1, 1)))


def test_few_raters_leave_few_degrees_of_freedom() -> None:
    contrast = ArmContrast({"session": 0.1, "rater": 5.0})
    assert float(contrast.error(Design(100, 1, 1, 3, 1, 1))[1]) == pytest.approx(2.0, abs=0.01)


def test_the_cheapest_design_is_cheapest_among_all_that_are_enough() -> None:
    held = {"seeds": 1, "repeats": 1, "wordings": 1}
    contrast = ArmContrast({"persona": 2.0, "session": 6.0, "rater": 0.4, "residual": 2.0})
    found = search(contrast, Precision(), COSTS, held, 2000)
    cheapest = found.cheapest(effect=2.5)
    assert cheapest is not None
    assert cheapest.detectable <= 2.5
    by_hand = [
        float(COSTS.of(design))
        for p in range(3, 120)
        for m in range(1, 7)
        for r in range(1, 9)
        if float(Precision().detectable(contrast, design := Design(p, 1, m, r, 1, 1))) <= 2.5
    ]
    assert cheapest.cost == pytest.approx(min(by_hand))
    best = found.best(cheapest.cost)
    assert best is not None
    assert best.detectable <= cheapest.detectable
    assert found.best(0.01) is None
    assert found.cheapest(effect=0.01) is None
    narrow = found.cheapest(half_width=1.5)
    assert narrow is not None
    assert narrow.half_width <= 1.5


def test_no_design_of_the_frontier_is_beaten() -> None:
    contrast = ArmContrast({"persona": 2.0, "session": 6.0, "rater": 0.4, "residual": 2.0})
    points = search(contrast, Precision(), COSTS, {"seeds": 1, "wordings": 1}, 300).frontier(500.0)
    assert 3 < len(points) <= 12
    assert all(a.cost < b.cost and a.detectable > b.detectable for a, b in itertools.pairwise(points))
    assert points[-1].cost <= 500


def test_costs_count_every_arm_seed_and_rating() -> None:
    costs = UnitCosts(persona=1, session=2, rating=0.5, seed=7, fixed=3, tuned_arms=2, plain_arms=1)
    design = Design(10, 3, 2, 4, 1, 2)
    sessions = 10 * 2 * (1 + 2 * 3)
    assert float(costs.sessions_of(design)) == sessions
    assert float(costs.of(design)) == 3 + 10 + 2 * sessions + 0.5 * sessions * 8 + 7 * 3


def test_needed_personas_are_the_fewest_that_are_enough() -> None:
    contrast, design = ArmContrast({"session": 8.0}), Design(5, 1, 1, 1, 1, 1)
    size = needed_personas(contrast, Precision(), design, effect=3.0, half_width=None)
    assert size == 16  # dz 0.75
    limited = ArmContrast({"session": 8.0, "rater": 9.0})
    assert needed_personas(limited, Precision(), design._replace(raters=2), effect=3.0, half_width=None) is None
