"""Reliability against published worked examples, and with scores that are missing."""

from statistics import fmean

import numpy as np
import pytest

from cbtrun.contract.records import ItemScore, Rating
from cbtrun.ratings.rubric import rubric_digest
from cbtrun.reliability.bland_altman import limits_of_agreement, severity_of_raters
from cbtrun.reliability.icc import intraclass_correlations
from cbtrun.reliability.kappa import kappa_of_pair, quadratic_kappa, weighted_kappas
from cbtrun.reliability.krippendorff import krippendorff_alpha
from cbtrun.reliability.of_ratings import reliability_of
from cbtrun.reliability.records import Reliability
from cbtrun.reliability.repeats import within_session_sd
from tests.helpers.rating_fakes import RUBRIC, rated_set

MISSING = np.nan

# Shrout & Fleiss 1979, table 2: six targets, four judges.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)
# Krippendorff 2011, "Computing Krippendorff's alpha-reliability", example C: four observers, twelve units.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, MISSING, MISSING, MISSING],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, MISSING, 3],
        [MISSING, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, MISSING],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, MISSING],
    ]
).T
# The anxiety ratings of R's irr package (Gamer et al.): twenty subjects, three raters.
ANXIETY = np.array(
    [
        [3, 3, 3, 4, 5, 5, 2, 3, 5, 2, 2, 6, 1, 5, 2, 2, 1, 2, 4, 3],
        [3, 6, 4, 6, 2, 4, 2, 4, 3, 3, 2, 3, 3, 3, 2, 2, 1, 3, 3, 4],
        [2, 1, 4, 4, 3, 2, 1, 6, 1, 1, 1, 2, 3, 3, 1, 1, 3, 3, 2, 2],
    ],
    dtype=float,
).T
# Bland & Altman 1986: peak flow of seventeen people, Wright meter twice, mini meter once, l/min.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
AGAIN = [490, 397, 512, 401, 470, 611, 415, 431, 638, 429, 420, 633, 275, 492, 165, 372, 421]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def columns(*scores: list[float]) -> "np.typing.NDArray[np.float64]":
    """Sessions x raters from one list a rater."""
    return np.array(scores, dtype=float).T


def test_intraclass_correlations_are_those_of_shrout_and_fleiss() -> None:
    found = intraclass_correlations(SHROUT_FLEISS)
    values = (found.single_agreement.value, found.mean_agreement.value, found.single_consistency.value)
    assert values == pytest.approx((0.29, 0.62, 0.71), abs=0.005)


def test_intervals_of_the_shrout_and_fleiss_data_are_those_that_rs_psych_prints() -> None:
    found = intraclass_correlations(SHROUT_FLEISS)
    limits = [
        (one.interval.low, one.interval.high)
        for one in (found.single_agreement, found.mean_agreement, found.single_consistency)
        if one.interval
    ]
    assert np.array(limits) == pytest.approx(np.array([(0.019, 0.76), (0.071, 0.93), (0.34, 0.95)]), abs=0.006)


def test_single_agreement_of_the_anxiety_data_is_what_rs_irr_prints() -> None:
    found = intraclass_correlations(ANXIETY).single_agreement
    assert found.value == pytest.approx(0.198, abs=0.0005)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((-0.039, 0.494), abs=0.0005)


def test_sessions_with_a_missing_score_are_left_out_of_intraclass_correlations() -> None:
    with_gap = np.vstack([SHROUT_FLEISS, [[9, MISSING, 1, 1]]])
    assert intraclass_correlations(with_gap) == intraclass_correlations(SHROUT_FLEISS)


def test_perfect_agreement_is_one_without_an_interval() -> None:
    found = intraclass_correlations(columns([1, 2, 5], [1, 2, 5])).single_agreement
    assert (found.value, found.interval) == (1.0, None)


def test_scores_that_are_all_the_same_have_no_agreement_to_speak_of() -> None:
    same = columns([3, 3, 3], [3, 3, 3])
    assert intraclass_correlations(same).single_agreement.note == "all scores are the same"
    assert krippendorff_alpha(same, "ordinal").note == "all scores are the same"
    assert quadratic_kappa(same).value is None


def test_one_session_is_too_few() -> None:
    assert intraclass_correlations(columns([3], [4])).single_agreement.value is None


@pytest.mark.parametrize(("level", "published"), [("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_that_of_krippendorffs_example(level: str, published: float) -> None:
    assert krippendorff_alpha(KRIPPENDORFF, level).value == pytest.approx(published, abs=0.0005)  # type: ignore[arg-type]


def test_alphas_interval_is_the_same_for_the_same_seed_and_holds_the_value() -> None:
    first, second = (krippendorff_alpha(ANXIETY, "interval", seed=5) for _ in range(2))
    assert first == second
    assert first.interval is not None
    assert first.value is not None
    assert first.interval.low < first.value < first.interval.high


def test_quadratic_kappa_of_the_anxiety_data_is_what_rs_irr_prints() -> None:
    assert kappa_of_pair(ANXIETY[:, 0], ANXIETY[:, 1]) == pytest.approx(0.297, abs=0.0005)


def test_kappa_by_moments_is_statsmodels_kappa() -> None:
    pairs = [(0, 1), (0, 2), (1, 2)]
    by_table = [kappa_of_pair(ANXIETY[:, a], ANXIETY[:, b]) for a, b in pairs]
    by_moments = [weighted_kappas(ANXIETY[:, a], ANXIETY[:, b], np.ones((1, 20)))[0] for a, b in pairs]
    assert by_moments == pytest.approx(by_table)


def test_kappa_of_several_raters_is_the_mean_of_their_pairs() -> None:
    pairs = [kappa_of_pair(ANXIETY[:, a], ANXIETY[:, b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    found = quadratic_kappa(ANXIETY)
    assert found.value == pytest.approx(fmean(one for one in pairs if one is not None))
    assert found.note == "mean of 3 pairs"


def test_limits_of_agreement_are_those_of_bland_and_altman() -> None:
    (found,) = limits_of_agreement(["wright", "mini"], columns(WRIGHT, MINI))
    assert found.difference == pytest.approx(-2.1, abs=0.05)
    assert found.high is not None
    assert found.low is not None
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(38.8, abs=0.05)


def test_the_sd_of_repeats_is_that_of_bland_and_altman() -> None:
    assert within_session_sd(columns(WRIGHT, AGAIN)).value == pytest.approx(15.3, abs=0.05)


def test_a_rater_who_scores_two_points_lower_is_two_points_severe() -> None:
    kind, severe, other = severity_of_raters(["a", "b", "c"], columns([4, 6, 5], [2, 4, 3], [4, 6, MISSING]))
    assert severe.deviation == pytest.approx(-2)
    assert kind.deviation == pytest.approx((1 + 1 + 2) / 3)
    assert (other.n, other.mean) == (2, 5)


def rated(scores: dict[tuple[str, str, int], tuple[float | None, float | None]]) -> list[Rating]:
    """Ratings on the small rubric: (session, rater, repeat) -> agenda, homework."""
    return [
        Rating(
            session=session,
            set="small",
            rubric="small",
            rubric_version="1.0",
            rubric_digest=rubric_digest(RUBRIC),
            rater=rater,
            repeat=repeat,
            scores=tuple(
                ItemScore(item=item, score=score, reason=None if score is not None else "none")
                for item, score in zip(("agenda", "homework"), points, strict=True)
            ),
        )
        for (session, rater, repeat), points in scores.items()
    ]


def found_in(
    scores: dict[tuple[str, str, int], tuple[float | None, float | None]],
) -> dict[tuple[str, str], Reliability]:
    """Outcome and what is compared -> reliability."""
    singles = rated_set(rated(scores)).singles
    titles = {"total": ("total", "Total"), "agenda": ("item", "Agenda")}
    return {(one.outcome, one.between): one for one in reliability_of("s", titles, singles, seed=1)}  # type: ignore[arg-type]


def test_one_rating_a_session_has_no_reliability() -> None:
    assert found_in({("s1", "a", 1): (1, 2), ("s2", "a", 1): (3, 4)}) == {}


def test_two_raters_with_repeats_are_compared_by_rater_and_by_repeat() -> None:
    scores = {
        (session, rater, repeat): (float(at + repeat), 2.0)
        for at, session in enumerate(("s1", "s2", "s3"))
        for rater in "ab"
        for repeat in (1, 2)
    }
    found = found_in(scores)
    assert {between for _, between in found} == {"raters", "repeats of a", "repeats of b"}
    assert found["s.total", "raters"].notes == ("each score is the mean of a rater's up to 2 repeats",)
    spread = {one.name: one.value for one in found["s.agenda", "repeats of a"].coefficients}["within_session_sd"]
    assert spread == pytest.approx(0.5**0.5)


def test_a_total_with_an_unscored_item_is_missing_and_said_to_be() -> None:
    scores = {(session, rater, 1): (float(at), 3.0) for at, session in enumerate("pqr") for rater in "ab"}
    scores["q", "b", 1] = (None, 3.0)
    found = found_in(scores)["s.total", "raters"]
    assert (found.sessions, found.complete, found.missing) == (2, 2, 1)
    assert any("ICCs rest on the sessions with a score in every column" in note for note in found.notes)
