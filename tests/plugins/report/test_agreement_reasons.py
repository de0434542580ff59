"""Where agreement, or its interval, is not shown, the reader finds the reason in its place."""

from dataclasses import replace
from typing import Any

import numpy as np

from cbtrun.humans.agree import Figure, PairwiseAgreement, _in_words
from cbtrun.plugins.report.reliability import agreement_table
from cbtrun.reliability.of_ratings import agreement
from cbtrun.reliability.pairs import side_by_side
from cbtrun.reliability.records import Reliability
from tests.helpers.report_studies import made_up_study


def shown(*tables: Reliability) -> tuple[list[dict[str, str]], tuple[str, ...]]:
    """Rows of the report's table, column -> cell, and its notes."""
    given = made_up_study(4)
    rated = given.results.ratings["ctrs"].model_copy(update={"reliability": tables})
    results = given.results.model_copy(update={"ratings": {"ctrs": rated}})
    table = agreement_table(replace(given, results=results))
    assert table is not None
    return [dict(zip(table.columns, row.cells, strict=True)) for row in table.rows], table.notes


def rated(outcome: str, scores: np.ndarray) -> Reliability:
    what: dict[str, Any] = {"outcome": f"ctrs.{outcome}", "kind": "item", "title": outcome}
    return agreement([f"r{at}" for at in range(scores.shape[1])], scores, 1, what)


def test_a_coefficient_that_is_not_shown_has_its_reason_below() -> None:
    rows, notes = shown(rated("agenda", np.array([[1, 6], [2, 5], [3, 4], [4, 3], [5, 2], [6, 1], [2, 6]], float)))
    assert rows[0]["ICC(2,1) [95 % CI]"] == "–"
    assert rows[0]["κ, quadratic weights [95 % CI]"].endswith("[no interval]")
    assert any(note.startswith("ICC(2,1) of Agenda: not shown: the estimate lies outside") for note in notes)
    assert any("κ, quadratic weights of Agenda: no interval: fewer than 10 sessions" in note for note in notes)


def test_one_reason_for_many_outcomes_is_told_once() -> None:
    few = np.array([[1, 2], [3, 3], [5, 4], [2, 2]], float)
    _, notes = shown(*(rated(name, few) for name in ("agenda", "homework", "feedback")))
    (told,) = [note for note in notes if note.endswith("no interval: fewer than 10 sessions")]
    assert "κ, quadratic weights of 3 outcomes" in told


def test_pairs_with_a_constant_rater_have_no_figure() -> None:
    table = np.column_stack([np.tile([1.0, 3, 5, 2], 4), np.full(16, 4.0), np.tile([2.0, 3, 4, 2], 4)])
    found = side_by_side(table, [(0, 1)], [(0, 2)], "kappa_quadratic", 1)
    assert found.first.value is None
    assert found.second.value is not None
    assert found.difference.value is None


def test_people_are_told_why_two_agreements_cannot_be_compared() -> None:
    known = Figure(value=0.5)
    gap = Figure(value=0.1, note="no interval: fewer than 10 sessions")
    pair = PairwiseAgreement(name="icc_2_1", human_human=known, model_human=known, difference=gap)
    assert _in_words(pair).startswith("the two agreements cannot be compared (fewer than 10 sessions)")
