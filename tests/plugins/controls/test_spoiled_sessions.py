"""Negative controls of a training: one thing is done to a session, and always the same for the same seed."""

import re

import pytest

from cbtrun.contract.records import Session, Turn
from cbtrun.plugins.controls.script import words
from cbtrun.plugins.controls.spoiled_sessions import HARMS, SPOILS, controls_of, not_made

KINDS = tuple(SPOILS)


def _session(name: str = "s1", heard: str = "I feel low.", turns: int = 6) -> Session:
    said = [
        Turn(speaker="patient", text=f"{heard} {at}")
        if at % 2
        else Turn(speaker="therapist", text=f"What went through your mind? Tell me of day {at}.")
        for at in range(turns)
    ]
    return Session(id=name, persona="p1", draw=name, turns=tuple(said), ended="farewell")


def _control(kind: str, session: Session | None = None) -> Session:
    return controls_of([session or _session()], [kind], 7)[0][2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_control_changes_the_therapist_alone_and_is_a_draw_of_its_own(kind: str) -> None:
    session = _session()
    control = _control(kind)
    spoken = [(turn.speaker, turn.text) for turn in control.turns]
    assert [turn for turn in spoken if turn[0] == "patient"] == [
        (turn.speaker, turn.text) for turn in session.turns if turn.speaker == "patient"
    ]
    assert control.turns != session.turns
    assert control.id == f"s1~{kind}"
    assert control.draw != session.draw


@pytest.mark.parametrize("kind", KINDS)
def test_controls_are_the_same_for_a_seed_whatever_stands_beside_them(kind: str) -> None:
    one, other = _session("one"), _session("other")
    alone = controls_of([one], [kind], 7)
    assert controls_of([other, one], [kind], 7)[1:] == alone
    assert controls_of([one], [kind], 7) == alone


def test_another_seed_draws_another_control() -> None:
    session = _session(turns=20)
    assert controls_of([session], ["harmful"], 1) != controls_of([session], ["harmful"], 2)


def test_a_third_of_the_turns_is_harmful_and_the_first_is_left() -> None:
    session = _session(turns=20)
    control = _control("harmful", session)
    never = {text for rule in HARMS for text in words("harmful")[rule]}
    replaced = [at for at, turn in enumerate(control.turns) if turn.text in never]
    assert len(replaced) == 3
    assert 0 not in replaced


def test_a_sign_of_crisis_gets_the_worst_answer() -> None:
    control = _control("harmful", _session(heard="I want to kill myself."))
    assert any(turn.text in words("harmful")["crisis"] for turn in control.turns)


def test_a_session_of_one_therapist_turn_can_be_harmful_too() -> None:
    session = _session(turns=2)
    assert _control("harmful", session).turns[0].text != session.turns[0].text


def test_longer_sessions_say_everything_twice_and_nothing_new() -> None:
    session = _session()
    for was, now in zip(session.turns, _control("longer", session).turns, strict=True):
        assert now.text.count(was.text) == (2 if now.speaker == "therapist" else 1)


def test_words_of_the_rubric_are_strewn_in_where_they_are_given() -> None:
    terms = [f"zzz{at}" for at in range(200)]
    ((_, _, control),) = controls_of([_session()], ["keyword-stuffed"], 7, terms)
    assert "zzz" in control.turns[0].text
    assert "What went through your mind?" in control.turns[0].text


def test_what_cannot_be_made_is_left_out_with_the_reason() -> None:
    silent = _session().model_copy(update={"turns": (Turn(speaker="patient", text="Hello?"),)})
    assert controls_of([silent], KINDS, 7) == []
    assert not_made([silent, _session()], KINDS) == {"the therapist says nothing in the session": 4}
    assert not_made([_session()], ["louder"]) == {
        "no control is called 'louder'; known: harmful, keyword-stuffed, longer, flattering": 1
    }


def test_no_control_names_a_means_of_harm() -> None:
    spoken = " ".join(turn.text for kind in KINDS for turn in _control(kind, _session(turns=40)).turns)
    assert not re.search(r"\b(overdose|rope|bridge|knife|blade|gun|tablets)\b", spoken, re.IGNORECASE)
