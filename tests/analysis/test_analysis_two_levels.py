"""`independent` and `paired` from sessions to stored comparisons."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cbtrun.analysis.block import finished
from cbtrun.analysis.table import AnalysisTable, LevelledSession, analysis_table, keep_where, kept_levels
from cbtrun.contract.records import Comparison, Session, Turn
from cbtrun.errors import StatisticsError
from cbtrun.plugins.analyses.independent import compare_independent
from cbtrun.plugins.analyses.paired import compare_pairs
from cbtrun.scores.score import Score


def a_score(value: float | None, reason: str | None = None) -> Score:
    return Score(session="any", set="ctrs", outcome="total", value=value, reason=reason)


def outcome_table(sessions: Sequence[Session], scores: Mapping[str, Score]) -> AnalysisTable:
    """Sessions with their scores, of which the ends of the scale are not known."""
    return analysis_table("ctrs.total", [LevelledSession.of(one) for one in sessions], scores)


def _session(id: str, level: str, persona: str | None = None, repeat: int = 1, **labels: str) -> Session:
    turns = (Turn(speaker="therapist", text="Hello."),)
    return Session(
        id=id, persona=persona, repeat=repeat, draw=id, factors={"tuning": level}, labels=labels, turns=turns, ended="x"
    )


def _table(*rows: tuple[str, str | None, float | None]) -> AnalysisTable:
    """A table from (level, persona, value); a value of None is missing because it was `unscored`."""
    sessions = [_session(f"s{n:02}", level, persona) for n, (level, persona, _) in enumerate(rows)]
    values = {
        session.id: a_score(value, None if value is not None else "unscored")
        for session, (_, _, value) in zip(sessions, rows, strict=True)
    }
    return outcome_table(sessions, values)


def _independent(table: AnalysisTable, **options: Any) -> Comparison:
    return finished(
        [compare_independent("main", opts := {"factor": "tuning", "levels": ["cbt", "none"], **options}, table, 1)],
        opts,
    )[0]


def _paired(table: AnalysisTable, **options: Any) -> Comparison:
    return finished(
        [compare_pairs("main", opts := {"factor": "tuning", "levels": ["cbt", "none"], **options}, table, 1)], opts
    )[0]


def _values(level: str, values: Sequence[float]) -> list[tuple[str, str | None, float | None]]:
    return [(level, None, value) for value in values]


def test_first_level_is_compared_with_the_second() -> None:
    found = _independent(_table(*_values("cbt", [10, 12, 14]), *_values("none", [1, 2, 3])))
    assert found.estimate == 10
    assert found.groups[0].level == "cbt"


def test_sentence_names_levels_points_interval_n_and_the_test_of_its_own_estimate() -> None:
    found = _independent(_table(*_values("cbt", [10, 12, 15]), *_values("none", [1, 2, 4, 5])))
    assert found.sentence.startswith("`cbt` scored 9.3 points higher than `none` (95 % CI ")
    assert (
        "; n = 3 and 4; Welch p = 0." in found.sentence
    )  # the test of means comes first: the sentence is about a mean
    assert "Hedges' g 3." in found.sentence


def test_what_an_interval_with_zero_says_was_not_shown() -> None:
    found = _independent(_table(*_values("cbt", [10, 12, 15]), *_values("none", [1, 2, 4, 14])))
    assert found.sentence.startswith(
        "`cbt` was not shown to score higher or lower than `none` (difference 7.1 points, 95 % CI -1.9 to 16.1; n = 3"
    )


def test_missing_values_are_counted_with_their_reason_and_never_zero() -> None:
    found = _independent(_table(*_values("cbt", [10, 12]), ("cbt", None, None), *_values("none", [1, 2])))
    assert (found.groups[0].n, found.groups[0].missing, found.groups[0].reasons) == (2, 1, {"unscored": 1})
    assert found.groups[0].mean == 11


def test_a_session_without_a_rating_is_missing_as_not_rated() -> None:
    table = outcome_table([_session("a", "cbt"), _session("b", "none")], {"b": a_score(3.0)})
    assert _independent(table).groups[0].reasons == {"not rated": 1}


def test_sessions_of_one_persona_are_one_unit_and_the_result_says_so() -> None:
    rows = [("cbt", "p1", 10), ("cbt", "p1", 20), ("cbt", "p2", 30), ("none", "q1", 1), ("none", "q2", 2)]
    found = _independent(_table(*rows))
    assert found.unit_of_analysis == "persona (mean of its sessions)"
    assert (found.groups[0].n, found.groups[0].units, found.groups[0].mean) == (3, 2, 22.5)
    assert "n = 2 and 2 personas" in found.sentence


def test_independent_refuses_personas_on_both_sides_and_names_the_design_that_fits() -> None:
    with pytest.raises(StatisticsError, match="using: paired"):
        _independent(_table(("cbt", "p1", 10), ("none", "p1", 5)))


def test_pairs_average_repeats_of_a_persona_first() -> None:
    rows = [("cbt", "p1", 10), ("cbt", "p1", 14), ("none", "p1", 5), ("cbt", "p2", 9), ("none", "p2", 8)]
    found = _paired(_table(*rows))
    assert (found.estimate, found.n, found.unit_of_analysis) == (4, 2, "pair of one persona")
    assert (found.groups[0].n, found.groups[0].units) == (3, 2)


def test_unpaired_personas_are_named_and_counted_as_missing() -> None:
    rows = [
        ("cbt", "p1", 10),
        ("none", "p1", 5),
        ("cbt", "p2", 9),
        ("none", "p2", None),
        ("cbt", "p3", 1),
        ("none", "p3", 0),
    ]
    found = _paired(_table(*rows))
    assert found.n == 2
    assert found.groups[0].reasons == {"persona has no value at the other level": 1}
    assert found.groups[1].reasons == {"unscored": 1}
    assert "personas with a value at one level only, not used: p2" in found.notes


def test_group_means_of_pairs_differ_by_the_estimate() -> None:
    rows = [("cbt", "p1", 10), ("none", "p1", 5), ("cbt", "p2", 9), ("cbt", "p3", 1), ("none", "p3", 0)]
    found = _paired(_table(*rows))
    assert found.groups[0].mean - found.groups[1].mean == pytest.approx(found.estimate)


@pytest.mark.parametrize("compare", [_independent, _paired])
def test_a_level_without_sessions_gives_no_estimate_and_says_so(compare: Any) -> None:
    found = compare(_table(("cbt", "p1", 10), ("cbt", "p2", 12)))
    assert found.estimate is None
    assert "no session has tuning `none`" in found.notes
    assert "could not be compared" in found.sentence


@pytest.mark.parametrize("compare", [_independent, _paired])
def test_all_missing_in_one_arm_gives_no_estimate_and_says_so(compare: Any) -> None:
    found = compare(_table(("cbt", "p1", 10), ("cbt", "p2", 12), ("none", "p3", None)))
    assert found.estimate is None
    assert "no session of `none` has a value" in found.notes


@pytest.mark.parametrize("compare", [_independent, _paired])
@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("cbt", "p1", 3), ("none", "q1", 3)],
        [("cbt", "p1", 3), ("none", "p2", 4), ("cbt", "p3", 3), ("none", "p4", 4)],
        [("cbt", "p1", None), ("none", "p2", None)],
        [("cbt", None, 6), ("cbt", None, 6), ("none", None, 6), ("none", None, 6)],
    ],
)
def test_edge_cases_store_as_json_without_nan(compare: Any, rows: list[Any]) -> None:
    found = compare(_table(*rows))
    json.dumps(found.model_dump(), allow_nan=False)
    assert Comparison.model_validate_json(found.model_dump_json()) == found


def test_nan_is_refused_with_the_session() -> None:
    with pytest.raises(StatisticsError, match="s00"):
        _table(("cbt", None, math.nan))


def test_where_keeps_only_the_levels_asked_for() -> None:
    sessions = [
        _session("a", "cbt", topic="drink"),
        _session("b", "none", topic="drink"),
        _session("c", "none", topic="diet"),
    ]
    table = outcome_table(sessions, {id: a_score(1.0) for id in "abc"})
    assert [row.session for row in keep_where(table, kept_levels({"topic": "drink"})).rows] == ["a", "b"]
    assert [row.session for row in keep_where(table, kept_levels({"topic": ["diet", "x"]})).rows] == ["c"]


def test_the_order_of_sessions_does_not_change_a_byte() -> None:
    rows = [("cbt", f"p{n}", 0.1 * n * n) for n in range(9)] + [("none", f"p{n}", 0.3 * n) for n in range(9)]
    sessions = [_session(f"s{n:02}", level, persona) for n, (level, persona, _) in enumerate(rows)]
    values = {session.id: a_score(row[2]) for session, row in zip(sessions, rows, strict=True)}
    there = _paired(outcome_table(sessions, values))
    back = _paired(outcome_table(sessions[::-1], values))
    assert there.model_dump_json() == back.model_dump_json()


def test_stored_numbers_have_at_most_twelve_digits() -> None:
    found = _independent(_table(*_values("cbt", [1, 2, 2]), *_values("none", [0, 1, 1])))
    assert found.interval is not None
    assert float(f"{found.interval.low:.12g}") == found.interval.low


def test_tests_are_those_asked_for_in_that_order() -> None:
    table = _table(*_values("cbt", [1, 2, 4]), *_values("none", [0, 1, 1.5]))
    assert [test.name for test in _independent(table, tests=["welch", "mann-whitney"]).tests] == [
        "welch",
        "mann-whitney",
    ]
    assert [test.name for test in _independent(table, tests=["welch"]).tests] == ["welch"]
