"""The `dialogue` plugin: simulated sessions of every arm with every persona."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contexts import BlockContext
from cbtrun.contract.digests import digest
from cbtrun.contract.models import Reply, Request
from cbtrun.contract.records import Persona
from cbtrun.errors import Place, StopRun
from cbtrun.plugins.dialogue import sessions as dialogue
from cbtrun.plugins.wording.farewell import takes_leave
from tests.helpers.talks import DEFAULTS, Speaks, Stage, numbered, persona


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_sessions_come_in_order_of_arm_persona_and_repeat(stage: Stage) -> None:
    sessions = stage.run({"b": {"therapist": "m"}, "a": {"therapist": "n"}}, repeats=2)
    assert [session.id for session in sessions] == [f"{a}/{p}/{r}" for a in "ba" for p in ("p1", "p2") for r in (1, 2)]
    assert {session.ended for session in sessions} == {"max_turns"}


def test_speakers_alternate_from_whoever_opens(stage: Stage) -> None:
    first = stage.run({"a": {"therapist": "m"}})[0]
    second = stage.run({"a": {"therapist": "m"}}, opens="patient")[0]
    assert [turn.speaker for turn in first.turns] == ["therapist", "patient"] * 2
    assert [turn.speaker for turn in second.turns] == ["patient", "therapist"] * 2


def test_the_opening_is_spoken_without_a_call(stage: Stage) -> None:
    session = stage.run({"a": {"therapist": "m"}}, opening="How are you?", max_turns=2)[0]
    assert session.turns[0].text == "How are you?"
    assert "m" not in stage.models or not stage.models["m"].asked


def test_each_side_sees_itself_as_the_assistant(stage: Stage) -> None:
    stage.run({"a": {"therapist": "m"}}, max_turns=3)
    last = stage.models["m"].asked[-1]
    assert [message.role for message in last.messages] == ["system", "assistant", "user"]
    patient = stage.models["patient"].asked[0]
    assert [message.role for message in patient.messages] == ["system", "user"]


def test_the_patient_finds_its_persona_as_json_and_the_therapist_does_not(stage: Stage) -> None:
    stage.run({"a": {"therapist": "m"}})
    system = stage.models["patient"].asked[0].messages[0].content
    told = json.loads(system[system.index("{") : system.rindex("}") + 1])
    assert Persona.model_validate(told) in (persona(1), persona(2))
    assert not any("Name" in message.content for asked in stage.models["m"].asked for message in asked.messages[:1])


def test_an_arms_name_reaches_no_call_and_no_draw(stage: Stage) -> None:
    one, _, other, _ = stage.run({"alpha": {"therapist": "m"}, "omega": {"therapist": "m"}})
    assert one.turns == other.turns
    assert one.draw == other.draw
    assert stage.tally.made == 2 * 4
    assert "alpha" not in repr(stage.models["m"].asked)


def test_personas_and_repeats_are_draws_of_their_own(stage: Stage) -> None:
    sessions = stage.run({"a": {"therapist": "m"}}, repeats=2)
    assert len({session.draw for session in sessions}) == 4
    assert len({session.turns for session in sessions}) == 4


def test_other_models_and_other_prompts_make_other_draws(stage: Stage) -> None:
    arms = {"a": {"therapist": "m"}, "b": {"therapist": "n"}, "c": {"therapist": "m", "system": "Be kind."}}
    assert len({session.draw for session in stage.run(arms) if session.persona == "p1"}) == 3


def test_an_arm_may_have_its_own_patient_and_system_prompt(stage: Stage) -> None:
    stage.run({"a": {"therapist": "m", "patient": "q", "system": "In {{ max_turns }} turns."}})
    assert stage.models["q"].asked
    assert "patient" not in stage.models
    assert stage.models["m"].asked[0].messages[0].content == "In 4 turns."


def test_an_arm_runs_once_for_each_seed_of_its_tune_job(stage: Stage) -> None:
    sessions = stage.run({"a": {"therapist": "twice", "factors": {"tuning": "cbt"}}, "b": {"therapist": "once"}})
    assert [(s.id, s.arm, s.factors) for s in sessions if s.persona == "p1"] == [
        ("a@1/p1/1", "a", {"tuning": "cbt", "seed": "1"}),
        ("a@2/p1/1", "a", {"tuning": "cbt", "seed": "2"}),
        ("b/p1/1", "b", {}),
    ]
    assert {"twice@1", "twice@2", "once"} <= set(stage.opened)


def test_an_arm_without_adapters_fails_alone(stage: Stage) -> None:
    sessions = stage.run({"a": {"therapist": "lost"}, "b": {"therapist": "m"}})
    assert {session.arm for session in sessions} == {"b"}
    assert [(failure.unit, failure.reason) for failure in stage.failures] == [("a", "no adapters of 'lost'")]


def test_a_model_that_cannot_be_opened_fails_its_arm_and_is_tried_once(stage: Stage) -> None:
    sessions = stage.run({"a": {"therapist": "broken"}, "b": {"therapist": "m"}})
    assert {session.arm for session in sessions} == {"b"}
    assert [failure.unit for failure in stage.failures] == ["a/p1/1", "a/p2/1"]
    assert stage.opened.count("broken") == 1


def test_no_turn_waits_for_another_session(stage: Stage) -> None:
    slow_is_free = asyncio.Event()

    class Therapist(Speaks):
        async def reply(self, request: Request) -> Reply:
            if request.draw.subject == slow:
                await slow_is_free.wait()
            elif request.draw.turn == 3:
                slow_is_free.set()  # the other session has come this far while the slow one waits
            return await super().reply(request)

    slow = digest(persona(1))
    stage.models["m"] = Therapist(numbered, "m")
    assert len(stage.run({"a": {"therapist": "m"}})) == 2


def test_arms_at_once_keeps_one_therapist_open_at_a_time(stage: Stage) -> None:
    open_now: set[str] = set()
    most = 0

    def counting(name: str) -> Speaks:
        class Counted(Speaks):
            async def close(self) -> None:
                open_now.discard(name)

        return Counted(numbered, name)

    def open_model(name: str) -> Any:
        nonlocal most
        if name != "patient":
            open_now.add(name)
            most = max(most, len(open_now))
        return counting(name)

    stage.open = open_model  # type: ignore[method-assign]
    arms = {name: {"therapist": name} for name in ("m", "n", "o")}
    assert len(stage.run(arms, arms_at_once=1)) == 6
    assert most == 1
    most = 0
    Stage.run(stage, {name: {"therapist": name} for name in ("r", "s")}, max_turns=5)
    assert most == 2


def test_an_empty_reply_is_asked_for_once_more(stage: Stage) -> None:
    stage.models["m"] = Speaks(lambda request: " " if request.draw.attempt == 1 else "Here.", "m")
    session = stage.run({"a": {"therapist": "m"}})[0]
    assert session.turns[0].text == "Here."
    assert session.flags == ()


def test_two_empty_replies_end_the_session_with_a_flag(stage: Stage) -> None:
    stage.models["patient"] = Speaks(lambda _: "", "patient")
    session = stage.run({"a": {"therapist": "m"}})[0]
    assert (session.ended, session.flags, len(session.turns)) == ("empty_turn", ("empty_turn: patient",), 1)


def test_an_end_marker_ends_the_session_and_is_cut_away(stage: Stage) -> None:
    stage.models["patient"] = Speaks(lambda _: "I have to go. [END] now", "patient")
    session = stage.run({"a": {"therapist": "m"}})[0]
    assert (session.ended, session.turns[-1].text) == ("end_marker", "I have to go.")


def test_the_session_ends_when_both_take_leave(stage: Stage) -> None:
    stage.models["m"] = Speaks(lambda request: "See you next week." if request.draw.turn >= 3 else "Hm.", "m")
    stage.models["patient"] = Speaks(lambda request: "Goodbye." if request.draw.turn >= 4 else "Yes.", "patient")
    session = stage.run({"a": {"therapist": "m"}}, max_turns=20)[0]
    assert (session.ended, len(session.turns)) == ("farewell", 4)
    assert stage.run({"a": {"therapist": "m"}}, max_turns=6, farewell=False)[0].ended == "max_turns"


@pytest.mark.parametrize(
    ("text", "leaves"),
    [
        ("Thank you. Goodbye!", True),
        ("Take care, and see you on Monday.", True),
        ("I never said goodbye to her.", False),
        ("I take care of my mother.", False),
        ("Goodbye was all he wrote. I cried. Then I slept. What now?", False),
        ("", False),
    ],
)
def test_a_farewell_is_told_from_the_memory_of_one(text: str, leaves: bool) -> None:
    assert takes_leave(text) is leaves


def test_a_context_that_overflows_fails_the_session_with_both_numbers(stage: Stage) -> None:
    assert stage.run({"a": {"therapist": "m"}}, context={"max_tokens": 60, "policy": "fail"}) == []
    assert stage.failures[0].reason.endswith("tokens and context/max_tokens is 60")


def test_drop_oldest_leaves_out_the_first_turns_and_says_how_many(stage: Stage) -> None:
    context = {"max_tokens": 90, "policy": "drop-oldest"}
    session = stage.run(
        {"a": {"therapist": "m"}}, context=context, max_turns=9, patient_system="Talk.", reminder=False
    )[0]
    last = max(stage.models["m"].asked, key=lambda request: request.draw.turn)
    assert len(session.turns) == 9
    assert last.messages[0].role == "system"
    assert last.messages[-1].content == session.turns[7].text
    assert len(last.messages) < 9
    assert any(flag.startswith("dropped_context: therapist") for flag in session.flags)


def test_a_turn_at_its_token_limit_is_flagged(stage: Stage) -> None:
    class Long(Speaks):
        async def reply(self, request: Request) -> Reply:
            return replace(await super().reply(request), finish="length")

    stage.models["patient"] = Long(numbered, "patient")
    assert stage.run({"a": {"therapist": "m"}})[0].flags == ("cut_turns: patient 2",)


def test_a_second_run_repeats_no_call_and_gives_the_same(stage: Stage) -> None:
    first = stage.run({"a": {"therapist": "m"}})
    made = stage.tally.made
    assert stage.run({"a": {"therapist": "m"}}) == first
    assert stage.tally.made == made


def test_a_stop_ends_all_sessions_and_closes_the_models(stage: Stage) -> None:
    def stop(_: Request) -> str:
        raise StopRun("the server is down")

    stage.models["m"] = Speaks(stop, "m")
    with pytest.raises(StopRun):
        stage.run({"a": {"therapist": "m"}})
    assert stage.models["m"].closed == 1


def test_unknown_variables_and_bad_syntax_of_templates_are_found_before_the_run(tmp_path: Path) -> None:
    options = {**DEFAULTS, "system": "You are {{ nmae }}.", "patient_system": "{% if %}"}
    study = {"arms": {"a": {"therapist": "m", "system": "{{ persona.name }}"}}}
    place = lambda *path: Place("study.yaml", len(path))  # noqa: E731
    context = BlockContext("sessions", "", options, study, tmp_path, place, place)
    faults = [str(problem) for problem in dialogue.check_block(context)]
    assert len(faults) == 3
    assert "unknown variable 'nmae'" in faults[0]
    assert faults[2].startswith("study.yaml:3: arms/a/system: unknown variable 'persona'")
