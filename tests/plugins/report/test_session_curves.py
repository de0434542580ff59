"""Agenda, depth and coherence of single turns, and their curves in the report."""

from __future__ import annotations

from cbtrun.contract.records import Session, Turn
from cbtrun.plugins.report.fidelity_tables import wilson
from cbtrun.plugins.report.limitations import _edges
from cbtrun.plugins.report.session_curves import agenda_words, turn_measures


def session(*texts: str) -> Session:
    """A session that the therapist opens."""
    turns = [Turn(speaker=("therapist", "patient")[at % 2], text=text) for at, text in enumerate(texts)]
    return Session(id="s", draw="d", turns=tuple(turns), ended="farewell")


TALK = session(
    "Hello. What would you like to work on today?",
    "My sleep, and the quarrel with my sister.",
    "What happened in the quarrel?",
    "She said that I never call.",
    "And the weather was fine?",
    "I suppose so.",
    "What happened in the quarrel, what happened there in the quarrel with her?",
    "She hung up.",
)


def test_a_turn_that_takes_up_the_agenda_is_told_from_one_that_does_not() -> None:
    found = {one.turn: one.values for one in turn_measures(TALK)}
    assert found[3]["agenda"] == 1
    assert found[5]["agenda"] == 0


def test_depth_is_a_question_about_what_was_just_said() -> None:
    found = {one.turn: one.values for one in turn_measures(TALK)}
    assert (found[3]["depth"], found[5]["depth"]) == (1, 0)


def test_where_no_agenda_was_set_adherence_is_missing_and_not_zero() -> None:
    assert agenda_words(TALK.turns)[0]
    talk = session("Hello.", "Hi.", "And so?", "Nothing.", "Well?", "No.")
    assert all("agenda" not in one.values for one in turn_measures(talk))


def test_a_repeated_turn_is_not_coherent() -> None:
    same = "Could you describe the quarrel with your sister on Sunday evening?"
    found = {
        one.turn: one.values["coherence"]
        for one in turn_measures(session("Hello.", "We had a quarrel.", same, "It was bad.", same, "Again."))
    }
    assert found == {3: 1.0, 5: 0.0}


def test_tokens_of_context_grow_with_the_session() -> None:
    tokens = [one.tokens for one in turn_measures(TALK)]
    assert tokens == sorted(tokens)
    assert tokens[0] == sum(len(turn.text) // 4 for turn in TALK.turns[:2])


def test_the_parts_of_a_curve_cover_every_place_once() -> None:
    edges = _edges([3, 5, 7, 9, 11, 13, 15, 17, 19])
    assert [sum(low <= place <= high for low, high in edges) for place in range(3, 20, 2)] == [1] * 9
    assert _edges([3]) == []


def test_a_share_has_wilsons_interval() -> None:
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
    found = wilson(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
