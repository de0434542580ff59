"""Ratings without spread, without partners, without numbers: every statistic says why it has no value, and none fails."""

import random
import warnings
from collections.abc import Iterator

import numpy as np
import pytest

from cbtrun.contract.records import Rating, Session
from cbtrun.humans.agree import agreement_report
from cbtrun.reliability.icc import NO_VARIANCE, intraclass_correlations
from cbtrun.reliability.of_ratings import agreement
from cbtrun.reliability.pairs import PAIRWISE, side_by_side
from cbtrun.results.build import build_results
from cbtrun.results.records import results_bytes
from tests.helpers.four_items import FOUR, rating
from tests.helpers.rating_fakes import a_session, rated_set, score_table

WHAT = {"outcome": "s.total", "kind": "total", "title": "Total"}
SHAPES = [(n, k) for n in (0, 1, 2, 3, 6) for k in (1, 2, 3)]


def degenerate_tables(n: int, k: int, draw: random.Random) -> Iterator[np.ndarray]:
    """Sessions x raters without spread in one way or another, with gaps or without."""
    plain = [
        np.zeros((n, k)),
        np.full((n, k), 1e-9),
        np.full((n, k), 0.1 + 0.2),
        np.tile(np.arange(k, dtype=float), (n, 1)),  # each rater of one mind, none of another's
        np.tile(np.arange(n, dtype=float)[:, None], (1, k)),  # raters of one mind, sessions differ
        np.array([[(row + column) % 2 for column in range(k)] for row in range(n)], dtype=float).reshape(n, k),
        np.array([[draw.choice([0, 6]) for _ in range(k)] for _ in range(n)], dtype=float).reshape(n, k),
        np.array([[draw.uniform(0, 1e-7) for _ in range(k)] for _ in range(n)]).reshape(n, k),
        np.array([[draw.choice([0, 1e9]) for _ in range(k)] for _ in range(n)], dtype=float).reshape(n, k),
    ]
    for table in plain:
        yield table
        for share in (0.2, 0.6, 1.0):
            gaps = np.array([[draw.random() < share for _ in range(k)] for _ in range(n)], dtype=bool).reshape(n, k)
            yield np.where(gaps, np.nan, table)


@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_no_table_of_ratings_ends_in_an_error_or_a_warning(n: int, k: int) -> None:
    draw = random.Random(f"{n} {k}")
    names = [f"r{at}" for at in range(k)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for table in degenerate_tables(n, k, draw):
            for between in ("raters", "repeats of r"):
                found = agreement(names, table, 1, WHAT, between)
                assert all(one.value is not None or one.note for one in found.coefficients)
            for coefficient in PAIRWISE:
                side_by_side(table, [(0, 1)][: k - 1], [(0, k - 1)], coefficient, 1)


def test_raters_who_each_have_one_mind_have_no_consistency_and_are_told_why() -> None:
    found = intraclass_correlations(np.array([[0.0, 1.0]] * 5))
    assert (found.single_consistency.value, found.single_consistency.note) == (
        None,
        NO_VARIANCE,
    )
    assert found.single_agreement.value == 0


def rated_sessions(kind: str, count: int, raters: int, draw: random.Random) -> tuple[list[Session], list[Rating]]:
    """Sessions and ratings of one degenerate kind."""
    sessions = [
        a_session([("therapist", "Hello."), ("patient", "Yes.")], id=f"s{at}", draw=f"d{at}", arm=draw.choice("xy"))
        for at in range(count)
    ]

    def score(who: int) -> float | None:
        of_kind = {"constant": [3.0], "each of one mind": [float(who)], "missing": [None], "half missing": [None, 2.0]}
        return draw.choice(of_kind.get(kind, [0.0, 6.0]))

    ratings = [
        rating(one.id, [score(who) for _ in range(4)], rater=f"r{who}").model_copy(update={"repeat": repeat})
        for one in sessions
        for who in range(raters)
        for repeat in (1, 2)
        if draw.random() < 0.9
    ]
    return sessions, ratings


@pytest.mark.parametrize("kind", ["constant", "each of one mind", "missing", "half missing", "two values"])
@pytest.mark.parametrize("count", [0, 1, 2, 9])
@pytest.mark.parametrize("raters", [1, 2, 3])
def test_results_are_written_whatever_the_ratings(kind: str, count: int, raters: int) -> None:
    sessions, ratings = rated_sessions(kind, count, raters, random.Random(f"{kind} {count} {raters}"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = {"study": "mine", "seed": 1}
        made = build_results(study, "", sessions, {"s": rated_set(ratings, FOUR)}, ())
        assert results_bytes(made)
        people = [one.model_copy(update={"rater": f"person {one.rater}"}) for one in ratings]
        if people:
            agreement_report("s", people, tuple(score_table(ratings, FOUR)), FOUR, 1)
