"""The alternative-annotator test against its authors' published code, and at its edges."""

from __future__ import annotations

import numpy as np
import pytest

from cbtrun.errors import StatisticsError
from cbtrun.reliability.alternative_annotator import Alignment, alternative_annotator

PUBLISHED = {
    (1, "rmse"): (
        1.0,
        0.8232896066582507,
        (9.629728701189973e-06, 3.2148597391986334e-05, 0.002318924461535233, 0.0034943700411800152),
    ),
    (2, "rmse"): (
        0.0,
        0.6415572421928354,
        (0.08090263192299475, 0.1184227365224943, 0.7552410996005638, 0.441655412281633),
    ),
    (2, "accuracy"): (
        0.0,
        0.7284869673640859,
        (0.032865495081173604, 0.07084564774183165, 0.13252140336425902, 0.07366600487387176),
    ),
}
"""SD of the judge's error and what being near means -> winning rate, advantage and each p of `alt_test` (epsilon 0.2), run on
the scores below: github.com/nitaytech/AltTest, alt_test_example.ipynb at commit 13eada2."""


def scores(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """60 sessions by four people, a tenth left open, and by a judge."""
    rng = np.random.default_rng(7)
    true = rng.integers(0, 7, 60).astype(float)
    people = np.clip(np.round(true[:, None] + rng.normal(0, 1, (60, 4))), 0, 6)
    people[rng.random((60, 4)) < 0.1] = np.nan
    return people, np.clip(np.round(true + rng.normal(0, noise, 60)), 0, 6)


@pytest.mark.parametrize(("noise", "alignment"), list(PUBLISHED))
def test_the_figures_are_those_of_the_authors_code(noise: float, alignment: Alignment) -> None:
    rate, advantage, p = PUBLISHED[int(noise), alignment]
    found = alternative_annotator(*scores(noise), 0.2, alignment)
    assert found.winning_rate == rate
    assert found.advantage == pytest.approx(advantage, abs=1e-12)
    assert [one.p for one in found.people] == pytest.approx(list(p), abs=1e-12)
    assert found.passes == (rate >= 0.5)


def test_fewer_than_three_people_are_refused() -> None:
    people, judge = scores(1)
    with pytest.raises(StatisticsError, match="needs 3 people; there are 2"):
        alternative_annotator(people[:, :2], judge, 0.2, "rmse")


def test_few_sessions_are_tested_by_signed_ranks() -> None:
    people, judge = scores(1)
    found = alternative_annotator(people[:20], judge[:20], 0.2, "rmse")
    assert found.test == "wilcoxon"


def test_a_judge_who_is_always_nearer_wins_against_everybody() -> None:
    rng = np.random.default_rng(1)
    true = rng.integers(0, 7, 40).astype(float)
    people = true[:, None] + np.array([0.5, -0.5, 1.0])
    found = alternative_annotator(people, true + 1 / 3, 0.2, "rmse")
    assert (found.winning_rate, found.advantage, found.passes) == (1.0, 1.0, True)


def test_equal_scores_are_a_tie_for_both_and_epsilon_decides() -> None:
    same = np.repeat(np.arange(40.0)[:, None] % 7, 3, axis=1)
    assert alternative_annotator(same, same[:, 0], 0.2, "rmse").winning_rate == 1.0
    assert alternative_annotator(same, same[:, 0], 0.0, "rmse").winning_rate == 0.0
