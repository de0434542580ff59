"""Courses of sessions, what is carried over, notes to one speaker, and contexts that overflow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cbtrun.contract.models import Reply, Request
from cbtrun.contract.records import Session, Turn
from cbtrun.plugins.dialogue.carry import Before, before_text, homework_of, program_summary
from cbtrun.plugins.dialogue.notes import with_note, without_note
from tests.helpers.talks import Speaks, Stage, numbered

CARRY = {"summary": "program", "homework": True, "last_turns": 0, "most": 3}
ARM = {"a": {"therapist": "m"}}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def filled_in(points: int) -> Speaks:
    """A patient that answers every questionnaire item alike."""

    def answer(request: Request) -> str:
        return json.dumps({"items": [points] * 9}) if request.schema else numbered(request)

    return Speaks(answer, f"patient {points}")


def sessions_of(sessions: object, persona: str = "p1") -> list[Session]:
    return [one for one in sessions if one.persona == persona]  # type: ignore[attr-defined]


def test_a_course_holds_its_sessions_in_a_row_with_numbers(stage: Stage) -> None:
    stage.models["patient"] = filled_in(1)
    held = sessions_of(stage.run(ARM, sessions=3, carry=CARRY))
    assert [(one.id, one.number, one.labels) for one in held] == [
        (f"a/p1/1/{number}", number, {"session_number": str(number)}) for number in (1, 2, 3)
    ]
    assert len({one.draw for one in held}) == 3


def test_phq9_is_asked_before_each_session_of_a_course_and_stored(stage: Stage) -> None:
    stage.models["patient"] = filled_in(2)
    held = stage.run(ARM, sessions=2, carry=CARRY)
    assert all(one.measures == {"phq9": 18.0, "phq9_item9": 2.0} for one in held)


def test_a_single_session_asks_no_phq9_unless_told(stage: Stage) -> None:
    stage.models["patient"] = filled_in(1)
    assert stage.run(ARM)[0].measures == {}
    assert stage.run(ARM, phq9=True)[0].measures["phq9"] == 9


def test_a_phq9_that_nobody_could_read_is_missing_with_its_reason(stage: Stage) -> None:
    held = stage.run(ARM, phq9=True)[0]
    assert held.measures == {}
    assert held.flags[0].startswith("phq9_missing: ")


def test_the_next_session_is_told_summary_homework_and_last_words(stage: Stage) -> None:
    words = {1: "What would you like to work on today?", 3: "For homework, write down one thought each day."}
    stage.models["m"] = Speaks(lambda request: words.get(request.draw.turn, "Hm."), "m")
    stage.models["patient"] = Speaks(
        lambda request: json.dumps({"items": [1] * 9}) if request.schema else f"My sleep, turn {request.draw.turn}.",
        "p",
    )
    stage.run(ARM, sessions=2, carry={**CARRY, "last_turns": 1})
    second = next(asked for asked in stage.models["m"].asked if asked.draw.item == "session 2")
    system = second.messages[0].content
    assert "This is session 2 of 2 with this patient." in system
    assert "worked on: My sleep, turn 2" in system
    assert "Homework: For homework, write down one thought each day." in system
    assert "Patient: My sleep, turn 4." in system
    assert "PHQ-9" not in system


def test_a_template_that_says_it_itself_gets_nothing_added() -> None:
    from cbtrun.plugins.dialogue.prompts import Place, therapist_system

    place = Place(2, 5, "BEFORE")
    assert therapist_system("Be kind.", 10, place) == "Be kind.\n\nBEFORE"
    assert therapist_system("Session {{ session_number }}: {{ before }}", 10, place) == "Session 2: BEFORE"


def test_a_session_that_fails_ends_its_course_and_keeps_the_ones_before(stage: Stage) -> None:
    class Breaks(Speaks):
        async def reply(self, request: Request) -> Reply:
            from cbtrun.errors import ModelError

            if request.draw.item == "session 2":
                raise ModelError("gone")
            return await super().reply(request)

    stage.models["patient"] = filled_in(1)
    stage.models["m"] = Breaks(numbered, "m")
    assert [one.number for one in stage.run(ARM, sessions=3, carry=CARRY)] == [1, 1]
    assert [(one.unit, one.reason) for one in stage.failures] == [("a/p1/1/2", "gone"), ("a/p2/1/2", "gone")]


def test_a_second_run_of_a_course_repeats_no_call(stage: Stage) -> None:
    stage.models["patient"] = filled_in(1)
    first = list(stage.run(ARM, sessions=2, carry=CARRY))
    made = stage.tally.made
    assert list(stage.run(ARM, sessions=2, carry=CARRY)) == first
    assert stage.tally.made == made


def test_summary_and_homework_are_found_in_what_was_said() -> None:
    turns = [
        Turn(speaker="therapist", text="How is your mood, zero to ten?"),
        Turn(speaker="patient", text="A 3."),
        Turn(speaker="therapist", text="What was going through your mind?"),
        Turn(speaker="patient", text="That I'm useless."),
        Turn(speaker="therapist", text="What would be a fairer way of seeing it?"),
        Turn(speaker="patient", text="That one bad day is one bad day."),
        Turn(speaker="therapist", text="Good. Until next time, write it down once a day."),
    ]
    assert (
        program_summary(turns)
        == 'Mood 3 of 10; thought "That I\'m useless"; new view "That one bad day is one bad day".'
    )
    assert homework_of(turns) == "Until next time, write it down once a day"
    assert program_summary(turns[:1]) == ""


def test_only_the_last_sessions_are_told_and_the_score_to_the_patient_alone() -> None:
    before = [Before(number, summary=f"S{number}.", phq9=10 + number) for number in (1, 2, 3, 4)]
    told = before_text("patient", 5, 6, before, {**CARRY, "most": 2})
    assert "Session 2" not in told
    assert "Session 4: S4. Your PHQ-9 was 14." in told
    assert "PHQ-9" not in before_text("therapist", 5, 6, before, CARRY)
    assert before_text("patient", 1, 1, [], CARRY) == ""


def test_the_reminder_reaches_the_patient_alone_and_never_a_turn(stage: Stage) -> None:
    held = stage.run(ARM, reminder="You are {{ persona.name }}.")
    assert all(
        "[Note to you alone: You are Name" in asked.messages[-1].content for asked in stage.models["patient"].asked
    )
    assert not any("Note to you" in one.content for asked in stage.models["m"].asked for one in asked.messages)
    assert not any("Note to you" in turn.text for one in held for turn in one.turns)


def test_an_arm_may_switch_the_reminder_off_and_is_another_draw(stage: Stage) -> None:
    held = stage.run({"on": {"therapist": "m"}, "off": {"therapist": "m", "reminder": False}}, reminder=True)
    assert len({one.draw for one in sessions_of(held)}) == 2
    noted = ["Note to you" in asked.messages[-1].content for asked in stage.models["patient"].asked]
    assert any(noted)
    assert not all(noted)


def test_a_note_is_taken_off_as_it_was_put_on() -> None:
    from cbtrun.contract.models import ChatMessage

    (noted,) = with_note([ChatMessage("user", "How are you?")], "Be Ida.")
    assert noted.content != "How are you?"
    assert without_note(noted.content) == "How are you?"


def test_the_closing_note_comes_near_the_limit_to_the_therapist_alone(stage: Stage) -> None:
    stage.run(ARM, max_turns=8, closing={"turns": 2, "note": "Close now."})
    noted = {asked.draw.turn for asked in stage.models["m"].asked if "Close now." in asked.messages[-1].content}
    assert noted == {7}
    assert not any("Close now." in asked.messages[-1].content for asked in stage.models["patient"].asked)


def test_a_session_ends_when_its_tokens_are_spoken(stage: Stage) -> None:
    class Counting(Speaks):
        async def reply(self, request: Request) -> Reply:
            return Reply((await super().reply(request)).text, tokens_out=10)

    for name in ("m", "patient"):
        stage.models[name] = Counting(numbered, name)
    held = stage.run(ARM, max_turns=9, max_tokens={"therapist": 96, "patient": 160, "session": 25})[0]
    assert (held.ended, len(held.turns)) == ("max_tokens", 3)


def test_summarise_shows_a_summary_in_place_of_the_first_turns(stage: Stage) -> None:
    def answer(request: Request) -> str:
        return "SHORT" if "summary of" in request.draw.item else numbered(request)

    stage.models["m"], stage.models["patient"] = Speaks(answer, "m"), Speaks(answer, "p")
    context = {"max_tokens": 110, "policy": "summarise"}
    held = stage.run(ARM, context=context, max_turns=11, patient_system="Talk.", reminder=False)[0]
    last = max((one for one in stage.models["m"].asked if not one.draw.item), key=lambda one: one.draw.turn)
    assert "Earlier in this session: SHORT" in last.messages[0].content
    assert len(last.messages) < 11
    assert any(flag.startswith("summarised_context: therapist") for flag in held.flags)


def test_a_scripted_course_moves_on_with_work_and_not_without() -> None:
    from random import Random

    from cbtrun.contract.models import ChatMessage
    from cbtrun.plugins.patients.course import answer_phq9, read_course_state
    from tests.helpers.talks import persona

    told = "This is session 2 of 6 with your therapist.\nSession 1: {}Your PHQ-9 was 14."
    worked, idle = (
        read_course_state([ChatMessage("system", told.format(words))])
        for words in ('new view "It was one day". Homework: a walk. ', "")
    )
    totals = [sum(json.loads(answer_phq9(persona(1), course, Random(1)))["items"]) for course in (worked, idle)]
    assert totals[0] < totals[1]
    assert worked.homework == "a walk"
