"""The scripted patient: answers what was said, tells more to who listens, keeps no hidden state."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from pathlib import Path
from statistics import mean

import pytest

from cbtrun.contract.digests import derive_seed
from cbtrun.contract.models import ChatMessage, Draw, Request
from cbtrun.contract.records import Persona, Turn
from cbtrun.errors import ModelError
from cbtrun.plugins.dialogue.endings import both_took_leave
from cbtrun.plugins.dialogue.prompts import PATIENT_SYSTEM, patient_system, view
from cbtrun.plugins.patients import state
from cbtrun.plugins.patients.answer import ANSWERS, STORY
from cbtrun.plugins.patients.hearing import hear, senseless
from cbtrun.plugins.patients.manner import shipped_manner
from cbtrun.plugins.patients.scripted_patient import ScriptedPatient, read_persona
from cbtrun.plugins.personas.attributes import attributes_path, read_attributes
from cbtrun.plugins.personas.material import PATIENT_WORDS
from cbtrun.plugins.personas.sampled import draw_personas
from cbtrun.plugins.wording.farewell import takes_leave
from cbtrun.plugins.wording.phrasing import read_rules

LISTENER = (
    "Hello, good to see you. How has your mood been this week, from zero to ten?",
    "Thank you. What would you like to put on our list for today?",
    "That sounds hard. Tell me about one such moment. What happened?",
    "I'm sorry, that must have been painful. What was going through your mind just then?",
    "No wonder. And how did you feel?",
    "What would it say about you, if it were true, deep down?",
    "Where might you have learned that?",
    "See you next week. Take care.",
)
ADVISER = (
    "You should just think positive.",
    "Have you tried going for a run?",
    "What was going through your mind just then?",
    "You need to stop worrying so much.",
    "You should make a list.",
    "What would it say about you, deep down?",
    "Just try to relax.",
    "Goodbye.",
)


@lru_cache(maxsize=1)
def people() -> list[Persona]:
    path = attributes_path("depression", Path())
    assert path is not None
    return draw_personas(read_attributes(path), 40, 3, "eval")


def somebody(**traits: str) -> Persona:
    return people()[0].model_copy(update=traits)


def request(persona: Persona, turns: list[Turn], seed: int = 1) -> Request:
    system = patient_system(PATIENT_SYSTEM, persona, 24)
    return Request(view("patient", system, turns), Draw("patient", "x", turn=len(turns) + 1), seed=seed)


def session(persona: Persona, therapist: tuple[str, ...]) -> list[Turn]:
    turns: list[Turn] = []
    for words in therapist:
        turns.append(Turn(speaker="therapist", text=words))
        reply = asyncio.run(ScriptedPatient().reply(request(persona, turns, derive_seed(persona.id, len(turns)))))
        turns.append(Turn(speaker="patient", text=reply.text))
    return turns


def own(turns: list[Turn]) -> list[str]:
    return [turn.text for turn in turns if turn.speaker == "patient"]


def answers(words: str, persona: Persona | None = None, seeds: int = 12) -> list[str]:
    """What a patient may answer to the first turn of a session."""
    turns = [Turn(speaker="therapist", text=words)]
    trusting = persona or somebody(engagement_style="open", disclosure_style="immediate")
    return [asyncio.run(ScriptedPatient().reply(request(trusting, turns, seed))).text for seed in range(seeds)]


def disclosed(persona: Persona, turns: list[Turn]) -> int:
    told = " ".join(own(turns)).lower()
    deep = [one.thought for one in persona.situations] + [*persona.core_beliefs, persona.history[:25]]
    return sum(one.lower() in told for one in deep)


def test_the_same_request_gives_the_same_answer_from_a_fresh_model() -> None:
    turns = session(people()[1], LISTENER[:4])[:-1]
    first, again = (asyncio.run(ScriptedPatient().reply(request(people()[1], turns, 9))).text for _ in range(2))
    assert first == again


def test_the_seed_changes_the_wording() -> None:
    assert len(set(answers("How has your mood been, from zero to ten?"))) > 3


def test_a_mood_question_gets_the_same_number_whatever_the_wording() -> None:
    numbers = {word.strip(".,") for text in answers(LISTENER[0]) for word in text.split() if word.strip(".,").isdigit()}
    assert len(numbers) == 1


def test_the_patient_tells_its_own_situation_when_asked() -> None:
    persona = somebody(engagement_style="open", disclosure_style="immediate")
    for text in answers("Tell me about one moment this week. What happened?", persona):
        assert any(one.event.lower() in text.lower() for one in persona.situations)


def test_a_thought_question_gets_an_automatic_thought() -> None:
    persona = somebody(engagement_style="open", disclosure_style="immediate")
    for text in answers("What was going through your mind?", persona):
        assert any(one in text for one in persona.automatic_thoughts)


def test_good_listening_gets_more_than_advice() -> None:
    told = {name: mean(disclosed(one, session(one, kind)) for one in people())
            for name, kind in (("listener", LISTENER), ("adviser", ADVISER))}  # fmt: skip
    assert told["listener"] > told["adviser"] + 1


def test_a_reluctant_patient_tells_less_than_an_immediate_one() -> None:
    told = {
        style: mean(
            disclosed(one, session(one, LISTENER))
            for persona in people()[:15]
            for one in [persona.model_copy(update={"disclosure_style": style})]
        )
        for style in ("immediate", "reluctant")
    }
    assert told["immediate"] > told["reluctant"]


def test_nonsense_is_met_with_a_question() -> None:
    lost = read_rules(PATIENT_WORDS)["not_follow"]
    for words in ("", "the the the and then list of of", "xq zzt vrmp"):
        assert all(any(text.startswith(one[:12]) for one in lost) for text in answers(words, seeds=4)), words


def test_a_patient_who_never_follows_begins_to_talk_by_itself() -> None:
    persona = somebody(engagement_style="open")
    texts = own(session(persona, ("xq zzt vrmp", "vrmp blorg xq", "blorg zzt")))
    material = [*(one.event for one in persona.situations), persona.presenting_problem.rstrip(".")]
    assert any(one.lower() in texts[2].lower() for one in material)


def test_somebody_elses_words_are_not_taken_on() -> None:
    refusals = read_rules(PATIENT_WORDS)["not_mine"]
    texts = answers('You said "The hamster ate my violin again". What does that do to you?', seeds=20)
    assert mean(any(one in text for one in refusals) for text in texts) > 0.5


def test_the_therapists_farewell_is_answered_by_one() -> None:
    for persona in people()[:10]:
        assert both_took_leave(session(persona, LISTENER))


def test_no_farewell_comes_before_the_therapists() -> None:
    for persona in people():
        assert not any(takes_leave(text) for text in own(session(persona, LISTENER))[:-1])


def test_hardly_a_turn_is_said_twice() -> None:
    sessions = [own(session(persona, (*LISTENER[:-1], *LISTENER[2:5]))) for persona in people()]
    repeated = sum(len(turns) - len(set(turns)) for turns in sessions)
    assert repeated <= 0.02 * sum(len(turns) for turns in sessions)


def test_the_risk_question_is_answered_from_the_persona() -> None:
    rules = read_rules(PATIENT_WORDS)
    asked = "Do you have thoughts of killing yourself?"
    for risk, rule in (("none", "risk_none"), ("passive-ideation", "risk_passive"), ("active-ideation", "risk_active")):
        assert set(answers(asked, somebody(risk=risk))) <= set(rules[rule])


def test_a_patient_at_risk_hints_at_it_and_one_without_never_does() -> None:
    hints = read_rules(PATIENT_WORDS)["risk_hint"]

    def hinted(risk: str) -> float:
        ones = [persona.model_copy(update={"risk": risk}) for persona in people()[:20]]
        return mean(any(hint in text for text in own(session(one, LISTENER)) for hint in hints) for one in ones)

    assert hinted("active-ideation") > 0.6
    assert hinted("none") == 0


def test_a_system_message_without_a_persona_is_refused() -> None:
    empty = Request((ChatMessage("system", "You are a patient. {}"), ChatMessage("user", "Hi")), Draw("patient", "x"))
    with pytest.raises(ModelError, match="persona_json"):
        asyncio.run(ScriptedPatient().reply(empty))


def test_the_persona_is_found_in_the_midst_of_other_text() -> None:
    text = f"Play {{this}}:\n{people()[2].model_dump_json()}\nStay in character."
    assert read_persona((ChatMessage("system", text),)) == people()[2]


def test_every_question_has_an_answer_and_every_answer_its_words() -> None:
    assert set(shipped_manner().questions) - {"risk"} <= ANSWERS.keys()
    assert {*ANSWERS.values(), *STORY} <= read_rules(PATIENT_WORDS).keys()


@pytest.mark.parametrize(
    ("turn", "question"),
    [
        ("How would you rate your mood, zero to ten?", "rating"),
        ("What shall we put on the agenda?", "agenda"),
        ("What evidence do you have for that?", "for"),
        ("Is there anything that speaks against it?", "against"),
        ("Could you look at it differently?", "alternative"),
        ("Would you be willing to try that before we meet again?", "homework"),
        ("How did that make you feel?", "feeling"),
        ("So tell me, what brings you here?", "problem"),
        ("Why?", "open"),
        ("Did you drive here?", "closed"),
        ("It's a pity.", ""),
    ],
)
def test_questions_are_recognised(turn: str, question: str) -> None:
    assert hear(turn, [], "", "").question == question


def test_a_mirror_is_told_from_a_mistake() -> None:
    own_words = "My card was declined at the petrol station and I drove to another town."
    assert hear("So your card was declined at the petrol station.", [], own_words, "").mirror
    assert not hear("So your card was declined at the petrol station.", [], own_words, "").mistaken
    assert hear('And then you said "my violin is broken for good".', [], own_words, "").mistaken


def test_ordinary_speech_is_not_taken_for_nonsense() -> None:
    plain = (
        "Okay.",
        "It sounds as though catastrophising has become something of a default response under pressure.",
        "Let's collaboratively examine the evidence regarding that prediction, shall we?",
        "So on Tuesday the argument with your supervisor escalated, and afterwards you withdrew completely.",
    )
    assert not [turn for turn in plain if senseless(turn, "")]


def test_what_is_remembered_of_a_session_changes_no_answer() -> None:
    person = people()[1]
    turns = session(person, LISTENER)
    for number in range(len(turns) - 1, 0, -2):  # the last answer first, and nothing of the session is known
        for remembered in (state._heard, state._told_so_far):
            remembered.cache_clear()
        asked = request(person, turns[:number], derive_seed(person.id, number))
        assert asyncio.run(ScriptedPatient().reply(asked)).text == turns[number].text
