"""The grammar as an author: structure, registers, variety."""

from __future__ import annotations

import asyncio
import json
import re
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import mean

import pytest

from cbtrun.contract.models import ChatMessage, Draw, Request
from cbtrun.contract.records import Persona
from cbtrun.errors import ModelError
from cbtrun.plugins.corpus.course_messages import Before, author_messages
from cbtrun.plugins.corpus.course_plan import course_path, read_course
from cbtrun.plugins.grammar.author import GrammarAuthor, registers
from cbtrun.plugins.grammar.brief import Brief, Written, parse_brief
from cbtrun.plugins.grammar.course import WORDS, plans
from cbtrun.plugins.grammar.warm import WORDS as SUPPORTIVE_WORDS
from cbtrun.plugins.personas.attributes import attributes_path, read_attributes
from cbtrun.plugins.personas.material import PATIENT_WORDS
from cbtrun.plugins.personas.sampled import draw_personas
from cbtrun.plugins.wording.farewell import takes_leave
from cbtrun.plugins.wording.phrasing import Phrasebook, finish, parse, read_rules, slots_of
from cbtrun.plugins.wording.pronouns import clause, to_you


@lru_cache(maxsize=1)
def people() -> list[Persona]:
    path = attributes_path("depression", Path())
    assert path is not None
    return draw_personas(read_attributes(path), 24, 2412, "train")


def messages_for(persona: Persona, number: int, register: str, before: list[Before]) -> tuple[ChatMessage, ...]:
    path = course_path("depression-20")
    assert path is not None
    return author_messages(persona, read_course(path), number, register, before)


def brief(persona: Persona, number: int, register: str, before: list[Before]) -> Brief:
    return parse_brief(json.loads(messages_for(persona, number, register, before)[1].content))


def course(persona: Persona, register: str, numbers: tuple[int, ...] = (1, 5, 8, 14)) -> list[Written]:
    before: list[Before] = []
    sessions = []
    for number in numbers:
        rng = Random(f"{persona.id} {register} {number}")
        sessions.append(registers()[register](brief(persona, number, register, before), rng))
        before.append(Before(session=number, summary=sessions[-1].summary, homework=sessions[-1].homework))
    return sessions


@lru_cache(maxsize=4)
def corpus(register: str) -> list[tuple[Persona, Written]]:
    return [(persona, written) for persona in people() for written in course(persona, register)]


def turns(written: Written, role: str) -> list[str]:
    return [words for speaker, words in written.turns if speaker == role]


def word_count(register: str, role: str) -> float:
    return mean(sum(len(turn.split()) for turn in turns(written, role)) for _, written in corpus(register))


@pytest.mark.parametrize("register", list(registers()))
def test_a_session_has_16_to_28_turns_therapist_first(register: str) -> None:
    for _, written in corpus(register):
        assert 16 <= len(written.turns) <= 28
        assert [role for role, _ in written.turns] == ["therapist", "patient"] * (len(written.turns) // 2)


@pytest.mark.parametrize("register", list(registers()))
def test_a_turn_of_the_therapist_has_8_to_45_words(register: str) -> None:
    lengths = {len(turn.split()) for _, written in corpus(register) for turn in turns(written, "therapist")}
    assert min(lengths) >= 8
    assert max(lengths) <= 45


@pytest.mark.parametrize("register", ["supportive", "shuffled"])
@pytest.mark.parametrize("role", ["therapist", "patient"])
def test_controls_are_as_long_as_cbt(register: str, role: str) -> None:
    assert word_count(register, role) == pytest.approx(word_count("cbt", role), rel=0.12)
    lengths = [mean(len(written.turns) for _, written in corpus(name)) for name in (register, "cbt")]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.05)


def own_words(persona: Persona) -> list[str]:
    """What a therapist could say back of a persona."""
    told = [one for situation in persona.situations for one in (situation.event, situation.behaviour)]
    told += [*persona.symptoms, *persona.strengths, *persona.goals]
    thoughts = [one.thought for one in persona.situations]
    return [*(to_you(clause(one)) for one in told), *thoughts, *persona.core_beliefs, *persona.intermediate_beliefs]


def share_with_own_words(register: str) -> float:
    sessions = [(persona, " ".join(turns(written, "therapist")).lower()) for persona, written in corpus(register)]
    return mean(any(one.lower() in said for one in own_words(persona)) for persona, said in sessions)


def test_therapists_use_their_patients_own_words_and_the_shuffled_one_does_not() -> None:
    assert share_with_own_words("cbt") > 0.9
    assert share_with_own_words("supportive") > 0.9
    assert share_with_own_words("shuffled") < 0.2  # symptoms are often the same


def test_the_therapist_says_back_only_what_the_patient_has_said() -> None:
    for persona, written in corpus("cbt"):
        heard = ""
        for role, words in written.turns:
            if role == "patient":
                heard += " " + words.lower()
                continue
            for situation in persona.situations:
                if to_you(clause(situation.event)).lower() in words.lower():
                    assert clause(situation.event).lower() in heard


def test_a_later_session_reviews_the_homework_of_the_one_before() -> None:
    for persona in people()[:8]:
        first, second = course(persona, "cbt", (3, 4))
        assert first.homework
        assert first.homework in " ".join(turns(second, "therapist"))


def test_an_evidence_session_goes_from_the_thought_to_a_new_view() -> None:
    persona = people()[0]
    written = course(persona, "cbt", (8,))[0]
    assert any(f'thought "{one.thought}"' in written.summary for one in persona.situations)
    assert "new view" in written.summary
    percents = [int(found) for turn in turns(written, "patient") for found in re.findall(r"\b(\d\d)\b", turn)]
    assert percents


def test_supportive_sessions_have_no_structure_and_no_homework() -> None:
    structure = re.compile(
        r"homework|agenda|percent|out of ten|zero to ten|evidence|experiment|sum up|feedback|helpful|write (it|down)|\blist\b",
        re.IGNORECASE,
    )
    assert all(written.homework == "" for _, written in corpus("supportive"))
    templates = [one for rule in read_rules(SUPPORTIVE_WORDS).values() for one in rule]
    assert not [one for one in templates if structure.search(one)]


def test_shuffled_therapists_speak_cbt_to_somebody_else() -> None:
    for persona, written in corpus("shuffled"):
        said = " ".join(turns(written, "therapist"))
        assert not any(one.thought in said for one in persona.situations)
        assert f" {persona.name}." not in said


def test_shuffled_sentences_come_from_the_words_of_cbt() -> None:
    known = {one for rules in read_rules(WORDS).values() for one in rules if not slots_of(one) and "(" not in one}
    heard = " ".join(turn for _, written in corpus("shuffled") for turn in turns(written, "therapist"))
    assert sum(sentence in heard for sentence in known if "[" not in sentence and "<" not in sentence) > 20


@pytest.mark.parametrize("register", list(registers()))
def test_sessions_end_in_farewells_on_both_sides(register: str) -> None:
    if register == "shuffled":
        return
    for _, written in corpus(register):
        assert all(takes_leave(words) for _, words in written.turns[-2:]), written.turns[-2:]


@pytest.mark.parametrize("register", ["cbt", "supportive"])
def test_few_turns_of_the_therapist_come_twice(register: str) -> None:
    said = [turn for _, written in corpus(register) for turn in turns(written, "therapist")]
    assert 1 - len(set(said)) / len(said) < 0.2


def test_nobody_repeats_a_turn_within_a_session() -> None:
    for register in registers():
        for _, written in corpus(register):
            for role in ("therapist", "patient"):
                said = turns(written, role)
                assert all(one != other for one, other in pairwise(said))


def test_the_seed_alone_decides_the_session() -> None:
    request = Request(messages_for(people()[0], 8, "cbt", []), Draw("author", "x"), seed=11)
    author = GrammarAuthor()
    first, again = (asyncio.run(author.reply(request)).text for _ in range(2))
    other = asyncio.run(author.reply(Request(request.messages, request.draw, seed=12))).text
    assert first == again != other


def test_a_request_that_is_no_brief_is_refused() -> None:
    request = Request((ChatMessage("user", "Write me a poem."),), Draw("author", "x"))
    with pytest.raises(ModelError, match="register, patient, session and before"):
        asyncio.run(GrammarAuthor().reply(request))


def test_every_rule_that_a_plan_names_exists() -> None:
    therapist, patient = read_rules(WORDS), read_rules(PATIENT_WORDS)
    for plan in plans().values():
        assert {move for move, _ in plan["steps"]} <= therapist.keys()
        assert {kind for _, kind in plan["steps"]} <= patient.keys()
        assert plan["topic"]
        assert plan["homework"]


def test_every_acknowledgement_has_a_wording_for_what_was_not_said() -> None:
    always = {"name", "kind", "mood", "activity", "topic1", "newhomework", "homework", "change", "lastmood", "quote"}
    always |= {"activity_b"}
    for rule, templates in read_rules(WORDS).items():
        assert any(slots_of(template) <= always for template in templates), rule


def test_all_shipped_templates_parse() -> None:
    folders = [WORDS, PATIENT_WORDS, SUPPORTIVE_WORDS]
    templates = [one for folder in folders for rule in read_rules(folder).values() for one in rule]
    assert all(parse(template) for template in templates)
    assert len(templates) > 700


def test_alternatives_options_slots_and_rules_are_expanded() -> None:
    book = Phrasebook({"greet": ["(Hello|Hi) {name}[, welcome]. <ask>"], "ask": ["how are you?"]})
    said = {book.say("greet", {"name": "Ada"}, Random(seed)) for seed in range(40)}
    assert said == {f"{word} Ada{end}. How are you?" for word in ("Hello", "Hi") for end in ("", ", welcome")}


def test_a_template_whose_slots_are_unknown_is_not_drawn() -> None:
    book = Phrasebook({"ack": ["So {thought}.", "I see."]})
    assert {book.say("ack", {}, Random(seed)) for seed in range(20)} == {"I see."}


def test_a_wording_is_not_used_twice_while_there_is_another() -> None:
    book = Phrasebook({"ack": ["one", "two", "three"]})
    assert sorted(book.say("ack", {}, Random(1)) for _ in range(3)) == ["One", "Three", "Two"]


@pytest.mark.parametrize(
    ("rough", "fine"), [("so . yes", "So. Yes"), ("really?. no", "Really? No"), ("a  b ,c", "A b,c")]
)
def test_sentences_are_tidied(rough: str, fine: str) -> None:
    assert finish(rough) == fine


@pytest.mark.parametrize(
    ("said", "back"),
    [
        ("I lost my keys and hid myself", "you lost your keys and hid yourself"),
        ("I'm sure I was late and they saw me", "you're sure you were late and they saw you"),
        ("we sat in our car", "you sat in your car"),
    ],
)
def test_a_clause_is_said_back_with_you(said: str, back: str) -> None:
    assert to_you(said) == back
