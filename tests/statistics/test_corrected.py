"""A judge's difference corrected by people: against the reference implementation, at its edges, and a sample of its simulation."""

from __future__ import annotations

import numpy as np
import pytest

from cbtrun.errors import StatisticsError
from cbtrun.statistics.corrected import DrawnSessions, corrected_difference
from cbtrun.statistics.rogan_gladen import rogan_gladen
from tests.helpers.benchmark_programs import benchmark

PEOPLE = [3, 6, -1, 5, 1, 6, 1, -6, -6, 1, 4, -3]
JUDGE = [6, 9, 0, 4, -1, 6, 3, 0, 6, 4, 2, 2]
ELSEWHERE = [4, 11, 8, 1, 1, 10, 0, 9, 2, 0, -3, 7, 0, 13, 1, 1, 8, 6, 12, 0, 4, 12, -2, 0, -3, 8, -4, 6]
PPI_PY = {
    0.0: (0.9166666666666666, -1.375298868554431, 3.208632201887764),
    0.5: (1.2083333333333335, -1.0516760937790957, 3.4683427604457626),
    1.0: (1.5, -1.3286756506307524, 4.328675650630752),
}
"""Weight -> estimate and 95 % z interval: ppi_mean_pointestimate and ppi_mean_ci of ppi-python 0.2.3 on the three lists."""
TUNED = (1.019720528824056, -1.183571918526729, 3.223012976174841)
"""The same with the weight that ppi-python tunes."""


def pairs(people: list[float], judge: list[float], chance: float = 0.3) -> DrawnSessions:
    """Differences as pairs: the second session of each persona is 0. people: NaN where nobody rated."""
    n = len(judge)
    ones, zeros = np.ones(n), np.zeros(n)
    seen = np.array(people, dtype=float)
    return DrawnSessions(
        persona=np.tile(np.arange(n), 2),
        side=np.concatenate([ones, -ones]),
        stratum=np.zeros(2 * n, dtype=np.int64),
        weight=np.full(2 * n, 1 / n),
        chance=np.full(2 * n, chance),
        judge=np.concatenate([np.array(judge, dtype=float), zeros]),
        people=np.concatenate([seen, np.where(np.isnan(seen), np.nan, 0.0)]),
    )


def drawn() -> DrawnSessions:
    """The lists above: 12 of 40 personas are labelled."""
    return pairs([*PEOPLE, *[np.nan] * len(ELSEWHERE)], [*JUDGE, *ELSEWHERE])


def slope_of(weight: float) -> float:
    """The slope on all sessions that is ppi-python's weight on the unlabelled ones."""
    return weight * (len(PEOPLE) + len(ELSEWHERE)) / len(ELSEWHERE)


@pytest.mark.parametrize("weight", list(PPI_PY))
def test_the_estimate_is_that_of_the_reference_implementation(weight: float) -> None:
    found = corrected_difference(drawn(), slope_of(weight)).corrected
    assert found.value == pytest.approx(PPI_PY[weight][0], abs=1e-8)


@pytest.mark.parametrize("weight", list(PPI_PY))
def test_the_error_is_the_reference_implementations_with_n_minus_1_under_its_squares(weight: float) -> None:
    rest = np.array(PEOPLE) - weight * np.array(JUDGE)
    parts = (rest.var() / len(PEOPLE), weight**2 * np.var(ELSEWHERE) / len(ELSEWHERE))
    _, low, high = PPI_PY[weight]
    assert 1.959963984540054 * sum(parts) ** 0.5 == pytest.approx((high - low) / 2, abs=1e-8)  # theirs, with n
    ours = parts[0] * len(PEOPLE) / (len(PEOPLE) - 1) + parts[1] * len(ELSEWHERE) / (len(ELSEWHERE) - 1)
    assert corrected_difference(drawn(), slope_of(weight)).corrected.error == pytest.approx(ours**0.5, abs=1e-8)


def test_at_the_weight_that_the_reference_tunes_the_estimate_is_its_own() -> None:
    weight = (TUNED[0] - np.mean(PEOPLE)) / (np.mean(ELSEWHERE) - np.mean(JUDGE))
    assert 0 < weight < 1
    assert corrected_difference(drawn(), slope_of(weight)).corrected.value == pytest.approx(TUNED[0], abs=1e-8)


def test_the_slope_that_is_found_is_that_of_the_regression_estimator_of_double_sampling() -> None:
    found = corrected_difference(drawn())
    slope = np.polyfit(JUDGE, PEOPLE, 1)[0]
    assert found.slope == pytest.approx(slope)
    everyone = np.mean([*JUDGE, *ELSEWHERE])
    assert found.corrected.value == pytest.approx(np.mean(PEOPLE) + slope * (everyone - np.mean(JUDGE)))
    assert found.corrected.df == len(PEOPLE) - 2


def test_people_who_rated_every_session_are_right_whatever_the_judge_says() -> None:
    found = corrected_difference(pairs(PEOPLE, JUDGE, chance=1))
    assert found.corrected.value == pytest.approx(np.mean(PEOPLE))
    assert found.people.error == pytest.approx(np.std(PEOPLE, ddof=1) / len(PEOPLE) ** 0.5)
    assert found.bias.value == pytest.approx(np.mean(JUDGE) - np.mean(PEOPLE))


def test_of_a_judge_who_says_the_same_of_all_sessions_nothing_is_taken() -> None:
    found = corrected_difference(pairs([*PEOPLE, *[np.nan] * 28], [5] * 40))
    assert found.slope == 0
    assert found.corrected.value == pytest.approx(np.mean(PEOPLE))
    assert found.corrected.df == len(PEOPLE) - 1


def test_strata_that_were_drawn_at_different_rates_are_weighed_back() -> None:
    # The first 10 personas differ by 0, the others by 8; of the first 8 were drawn, of the others 4.
    people = [0.0] * 8 + [np.nan] * 2 + [8.0] * 4 + [np.nan] * 6
    judge = [1.0, 2, 1, 2, 1, 2, 1, 2, 1, 2] + [9.0, 10] * 5
    one = pairs(people, judge)
    stratum = np.tile(np.repeat([0, 1], 10), 2)
    chance = np.where(stratum == 0, 0.8, 0.4)
    two = DrawnSessions(one.persona, one.side, stratum, one.weight, chance, one.judge, one.people)
    assert corrected_difference(one).people.value == pytest.approx(8 / 3)
    assert corrected_difference(two).people.value == pytest.approx(4)


def test_a_stratum_that_nobody_rated_is_refused() -> None:
    one = drawn()
    stratum = np.tile(np.arange(40) == 39, 2).astype(np.int64)
    split = DrawnSessions(one.persona, one.side, stratum, one.weight, one.chance, one.judge, one.people)
    with pytest.raises(StatisticsError, match="a stratum of a level has no rated session"):
        corrected_difference(split)


def test_one_labelled_persona_is_too_few() -> None:
    with pytest.raises(StatisticsError, match="too few"):
        corrected_difference(pairs([1.0, np.nan, np.nan], [1.0, 2, 3]))


def test_rogan_gladen_gives_the_share_that_its_formula_gives() -> None:
    # First level: of 20 the judge says yes to 12; of 10 labelled he sees 4 of 5 yes and 4 of 5 no: (0.6 + 0.8 - 1) / 0.6.
    judge = np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 0, *[1] * 7, *[0] * 3], dtype=float)
    people = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, *[np.nan] * 10])
    # Second level: he errs never, and half are a yes.
    other = np.array([1, 0] * 10, dtype=float)
    both = DrawnSessions(
        persona=np.tile(np.arange(20), 2),
        side=np.repeat([1.0, -1.0], 20),
        stratum=np.zeros(40, dtype=np.int64),
        weight=np.full(40, 1 / 20),
        chance=np.full(40, 0.5),
        judge=np.concatenate([judge, other]),
        people=np.concatenate([people, np.where(np.isnan(people), np.nan, other)]),
    )
    found = rogan_gladen(both)
    assert found.levels[0].share == pytest.approx(0.4 / 0.6)
    assert found.levels[1].share == pytest.approx(0.5)
    assert found.difference.value == pytest.approx(0.4 / 0.6 - 0.5)
    assert found.difference.error > 0


def test_intervals_hold_their_level_in_a_sample_of_the_simulation_and_a_planted_z_does_not() -> None:
    program = benchmark("corrected")
    figures = program.cell("strata", "noise", 12, 200, 2)
    assert program.too_low(figures) == []
    planted = {"corrected": figures["z"]}  # the fault: z instead of t
    assert program.too_low(planted) != []
    assert figures["judge"]["covered"] < 0.75
