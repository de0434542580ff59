"""Therapies other than CBT, from YAML alone: practices, their author, their patient, and the MITI-like rubric."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from random import Random

import pytest

from cbtrun.contract.models import ChatMessage, Draw, Request
from cbtrun.contract.records import Persona
from cbtrun.errors import ModelError, SpecError
from cbtrun.plugins.corpus.course_messages import Before, author_messages
from cbtrun.plugins.corpus.course_plan import course_path, read_course
from cbtrun.plugins.grammar.author import GrammarAuthor
from cbtrun.plugins.grammar.brief import parse_brief
from cbtrun.plugins.grammar.practised import write_practised
from cbtrun.plugins.patients.hearing import hear
from cbtrun.plugins.patients.manner import manner_of
from cbtrun.plugins.patients.scripted_patient import ScriptedPatient
from cbtrun.plugins.personas.attributes import attributes_path, read_attributes
from cbtrun.plugins.personas.sampled import draw_personas
from cbtrun.plugins.practices.practice import named_practice, read_practice
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import RUBRICS

Make = Callable[[Mapping[str, str]], StudyProject]

OWN = """\
practice: gardening
title: Talk about gardens
instruction: The therapist talks about gardens.
opening: [[greet, how_are_you]]
closing: [[close, bye]]
techniques: {weeding: {topic: [weeds], steps: [[ask_weeds, weeds]]}}
therapist:
  greet: ["Hello {name}, how are you and the garden today?"]
  ask_weeds: ["Which weeds have you pulled since we last talked?"]
  close: ["Take care, {name}, and see you next week."]
patient: {weeds: ["Thistles, mostly, and it did me good."]}
ear: {weeds: ["which weeds"]}
"""
STUDY = """\
cbtrun: 1
study: gardens
title: Gardens
seed: 1
models: {author: {using: grammar, practice: ./gardening.yaml}}
personas: {train: {using: sampled, attributes: depression, count: 4}}
corpus:
  all: {using: written-course, author: author, personas: train, register: ./gardening.yaml, course: ./course.yaml}
  two: {using: written-course, author: author, personas: train, register: ./gardening.yaml, course: ./course.yaml, courses: 2}
"""
COURSE = "course: gardens\ntitle: Gardens\nsessions:\n  - {phase: spring, aims: [weeds], techniques: [weeding]}\n"


@lru_cache(maxsize=1)
def people() -> list[Persona]:
    path = attributes_path("drinking", Path())
    assert path is not None
    return draw_personas(read_attributes(path), 30, 2412, "train")


def messages(number: int, register: str = "motivational") -> tuple[ChatMessage, ...]:
    path = course_path("motivational-4")
    assert path is not None
    before = [Before(session=n, summary="Talked.", homework="") for n in range(1, number)]
    return author_messages(people()[0], read_course(path), number, register, before)


def sessions() -> list[tuple[tuple[str, str], ...]]:
    practice, path = named_practice("motivational"), course_path("motivational-4")
    assert path is not None
    found = []
    for at, persona in enumerate(people()):
        number = at % 4 + 1
        asked = author_messages(persona, read_course(path), number, "motivational", [])
        found.append(write_practised(parse_brief(json.loads(asked[1].content)), practice, Random(at)).turns)
    return found


def test_an_author_is_told_how_the_practice_works() -> None:
    system, brief = messages(1)
    assert "motivational interviewing" in system.content
    assert "cognitive" not in system.content
    assert json.loads(brief.content)["register"] == "motivational"


def test_sessions_of_a_practice_take_turns_and_hold_no_step_of_cbt() -> None:
    for turns in sessions():
        assert [role for role, _ in turns] == ["therapist", "patient"] * (len(turns) // 2)
        assert 14 <= len(turns) <= 28
        spoken = " ".join(words for role, words in turns if role == "therapist").lower()
        assert not re.search(r"\b(agenda|homework|evidence|automatic thought|put on the list)\b", spoken)
        assert "{" not in spoken
        assert "<" not in spoken


def test_the_grammar_names_the_registers_that_it_knows() -> None:
    asked = Request(messages(1), Draw("author", "x"))
    with pytest.raises(ModelError, match="no register 'motivational'; it knows: cbt, supportive, shuffled"):
        asyncio.run(GrammarAuthor().reply(asked))
    assert json.loads(asyncio.run(GrammarAuthor(named_practice("motivational")).reply(asked)).text)["messages"]


def test_the_patient_hears_every_question_of_the_practice() -> None:
    practice = named_practice("motivational")
    manner, shipped = manner_of(practice), {"how_are_you", "problem", "tell", "goal", "bye"}
    steps = {step for one in practice.techniques.values() for step in one.steps} | {*practice.later, *practice.closing}
    expected = {move: kind for move, kind in steps if kind not in shipped}
    unheard = [
        words
        for move, kind in expected.items()
        for words in practice.therapist[move]
        if hear(re.sub(r"\{\w+\}", "walk", words), [], "", "", manner).question != kind
    ]
    assert unheard == []


def test_a_patient_of_the_practice_answers_in_its_words() -> None:
    persona = people()[0].model_copy(update={"engagement_style": "open", "disclosure_style": "immediate"})
    told = ChatMessage("system", persona.model_dump_json())
    asked = Request((told, ChatMessage("user", "How important is it to you, from zero to ten?")), Draw("patient", "p"))
    practised = asyncio.run(ScriptedPatient(named_practice("motivational")).reply(asked)).text
    assert re.search(r"\b(five|six|seven|eight)\b", practised.lower())
    plain, other = ScriptedPatient().identity, ScriptedPatient(named_practice("motivational")).identity
    assert plain != other


def test_a_practice_of_ones_own_needs_nothing_but_its_file(study_project: Make) -> None:
    project = study_project({"study.yaml": STUDY, "gardening.yaml": OWN, "course.yaml": COURSE})
    outcome = project.run()
    assert (outcome.code, outcome.err.count("failed")) == (0, 0), outcome.err
    lines = project.read("runs/gardens/corpus/all.jsonl").splitlines()
    assert len(lines) == 4
    assert all("Which weeds have you pulled" in line and "Thistles" in line for line in lines)


def test_a_smaller_corpus_is_part_of_the_larger_one_and_costs_nothing_more(study_project: Make) -> None:
    project = study_project({"study.yaml": STUDY, "gardening.yaml": OWN, "course.yaml": COURSE})
    project.run()
    every, first = (project.read(f"runs/gardens/corpus/{name}.jsonl").splitlines() for name in ("all", "two"))
    assert first == every[:2]
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.journal.journal import Journal

    assert sum(one.calls for one in Journal(RunFolder(project.folder / "runs/gardens").journal).usage()) == 4


def test_more_courses_than_personas_are_refused(study_project: Make) -> None:
    project = study_project(
        {"study.yaml": STUDY.replace("courses: 2", "courses: 9"), "gardening.yaml": OWN, "course.yaml": COURSE}
    )
    outcome = project.run("validate", "study.yaml")
    assert outcome.code == 2
    assert "corpus/two/courses: the set has 4 personas, got 9" in outcome.err


def test_every_fault_of_a_practice_is_reported_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    faulty = OWN.replace("[[close, bye]]", "[[goodbye, bye]]").replace("[ask_weeds, weeds]", "[ask_weeds, thistles]")
    file.write_text(faulty.replace('["which weeds"]', '["which (weeds"]').replace("{name}, how", "(a|b, how"))
    with pytest.raises(SpecError) as error:
        read_practice(file)
    found = [str(problem).split("bad.yaml:")[1] for problem in error.value.problems]
    assert found == [
        "8:11: therapist/greet: unbalanced ')' in template: Hello (a|b, how are you and the garden today?",
        "12:15: ear/weeds: 'which (weeds' is not a regular expression: missing ), unterminated subpattern at position 6",
        "5:12: closing/0: the therapist has no wordings 'goodbye'; write them under therapist:",
        "6:60: techniques/weeding/steps/0: the patient has no wordings 'thistles'; write them under patient:",
    ]


def test_an_unknown_practice_is_reported_where_it_is_named(study_project: Make) -> None:
    wrong = STUDY.replace("practice: ./gardening.yaml", "practice: gardens").replace(
        "register: ./gardening.yaml", "register: cbd"
    )
    outcome = study_project({"study.yaml": wrong, "course.yaml": COURSE}).run("validate", "study.yaml")
    assert outcome.code == 2
    assert (
        "models/author/practice: no practice 'gardens'; there are: motivational, or the path of your own" in outcome.err
    )
    assert "corpus/all/register: no practice 'cbd'; there are: cbt, supportive, shuffled, motivational" in outcome.err


def test_the_miti_rubric_tells_motivational_interviewing_from_advice() -> None:
    from cbtrun.plugins.raters.lexical_scores import score_items
    from cbtrun.plugins.raters.lexical_turns import SpokenTurn
    from cbtrun.ratings.rubric_file import read_rubric

    rubric = read_rubric(RUBRICS / "miti.yaml")
    names = [item.id for item in rubric.items]

    def scores(words: list[str]) -> dict[str, float]:
        turns = [SpokenTurn(n, ("therapist", "patient")[n % 2], text) for n, text in enumerate(words)]
        return {name: one["score"] for name, one in score_items(rubric, turns, names).items()}

    for turns in sessions():
        practised = scores([words for _, words in turns])
        advised = scores(["You should stop drinking. If you don't stop, it will kill you." if not at % 2 else words
                          for at, (_, words) in enumerate(turns)])  # fmt: skip
        assert min(practised[name] - advised[name] for name in ("change_talk", "partnership", "empathy")) > 0
        assert practised["sustain_talk"] > advised["sustain_talk"]
        assert (practised["non_adherent"], advised["non_adherent"] > 5) == (0, True)
