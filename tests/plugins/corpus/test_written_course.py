"""The corpus plugin that lets an author write courses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cbtrun.contract.digests import derive_seed, digest
from cbtrun.contract.models import Reply, Request
from cbtrun.contract.records import Persona, Transcript
from cbtrun.contract.study_view import StudyView
from cbtrun.errors import CbtrunError, SpecError
from cbtrun.plugins.corpus import written_course
from cbtrun.plugins.corpus.course_messages import REGISTERS, author_messages
from cbtrun.plugins.corpus.course_plan import course_path, read_course, shipped_courses
from cbtrun.plugins.dialogue.therapist_prompt import THERAPIST_SYSTEM
from cbtrun.plugins.grammar.author import GrammarAuthor, registers
from cbtrun.plugins.grammar.course import plans
from cbtrun.plugins.personas.attributes import attributes_path, read_attributes
from cbtrun.plugins.personas.sampled import draw_personas
from cbtrun.plugins.practices.named import shipped_practices
from cbtrun.plugins.practices.practice import named_practice

ReplyTo = Callable[[Request], Awaitable[Reply]]

GOOD = json.dumps(
    {
        "messages": [{"role": "therapist", "content": "Hello."}, {"role": "patient", "content": " Hi. "}],
        "summary": "They met.",
        "homework": "sleep",
    }
)


def people(count: int = 2) -> list[Persona]:
    path = attributes_path("depression", Path())
    assert path is not None
    return draw_personas(read_attributes(path), count, 1, "train")


class Corpus:
    """A stage context around one author, which keeps the requests that it was sent."""

    def __init__(self, author: ReplyTo, **options: Any) -> None:
        defaults = {"register": "cbt", "course": "depression-20", "max_tokens": 4096, "system": THERAPIST_SYSTEM}
        self.options: Mapping[str, Any] = {"author": "author", "personas": "train", **defaults, **options}
        self.name = "cbt"
        self.step = lambda: None
        self.author, self.requests, self.failures = author, [], {}  # type: ignore[var-annotated]

    def make(self) -> list[Transcript]:
        context: Any = self
        return written_course.make_corpus(context)

    def personas(self, _: str) -> list[Persona]:
        return people()

    def run(self, work: Any) -> Any:
        return asyncio.run(work)

    @asynccontextmanager
    async def model(self, _: str) -> AsyncIterator[Any]:
        async def reply(request: Request) -> Reply:
            self.requests.append(request)
            return await self.author(replace(request, seed=derive_seed(str(request))))

        yield SimpleNamespace(reply=reply)

    async def each(
        self, units: Sequence[Any], work: Any, name: Callable[[Any], str] = str, steps: int = 1, counted: str = ""
    ) -> list[Any]:
        results = []
        for unit in units:
            try:
                results.append(await work(unit))
            except CbtrunError as error:
                self.failures[name(unit)] = str(error)
                results.append(None)
        return results


def replies(*texts: str) -> ReplyTo:
    left = list(texts)

    async def reply(_: Request) -> Reply:
        return Reply(left.pop(0) if len(left) > 1 else left[0])

    return reply


def test_sessions_come_persona_by_persona_and_begin_with_the_therapists_system_prompt() -> None:
    made = Corpus(replies(GOOD), sessions=2).make()
    assert [one.id for one in made] == ["train-001/1", "train-001/2", "train-002/1", "train-002/2"]
    assert [one.role for one in made[0].messages] == ["system", "therapist", "patient"]
    assert made[0].messages[0].content == THERAPIST_SYSTEM
    assert made[0].messages[2].content == "Hi."
    assert made[0].phase == "assessment"


def test_each_session_is_told_what_happened_before() -> None:
    corpus = Corpus(replies(GOOD), sessions=[2, 5])
    corpus.make()
    first, second = (json.loads(request.messages[1].content) for request in corpus.requests[:2])
    assert first["before"] == []
    assert second["before"] == [{"session": 2, "summary": "They met.", "homework": "sleep"}]
    assert second["session"]["number"] == 5
    assert second["session"]["of"] == 20


def test_a_call_is_the_draw_of_its_persona_and_session() -> None:
    corpus = Corpus(replies(GOOD), sessions=[3])
    corpus.make()
    draw = corpus.requests[1].draw
    assert (draw.role, draw.subject, draw.turn, draw.attempt) == ("author", digest(people()[1]), 3, 1)
    assert corpus.requests[1].max_tokens == 4096


def test_a_malformed_answer_is_asked_for_once_more_with_the_error() -> None:
    corpus = Corpus(replies('{"messages": []}', GOOD), sessions=1)
    assert len(corpus.make()) == 2
    again = corpus.requests[1]
    assert again.draw.attempt == 2
    assert "messages" in again.messages[-1].content
    assert corpus.failures == {}


WRONG = json.loads(GOOD)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("no JSON at all", "JSON"),
        (json.dumps({**WRONG, "messages": WRONG["messages"][::-1]}), "message 1 must be the therapist's"),
        (json.dumps({**WRONG, "messages": [*WRONG["messages"], {"role": "therapist", "content": "  "}]}), "message 3"),
        (json.dumps({**WRONG, "mood": 3}), "mood"),
    ],
)
def test_an_author_that_stays_malformed_fails_that_persona_alone(bad: str, reason: str) -> None:
    corpus = Corpus(replies(bad, bad, GOOD), sessions=1)
    assert [one.persona for one in corpus.make()] == ["train-002"]
    assert list(corpus.failures) == ["train-001"]
    assert reason in corpus.failures["train-001"]
    assert "session 1" in corpus.failures["train-001"]


@pytest.mark.parametrize("register", list(REGISTERS))
def test_the_grammar_understands_what_it_is_sent(register: str) -> None:
    corpus = Corpus(GrammarAuthor().reply, sessions=[1, 8], register=register)
    made = corpus.make()
    assert corpus.failures == {}
    assert len(made) == 4
    assert made == Corpus(GrammarAuthor().reply, sessions=[1, 8], register=register).make()


def test_author_and_grammar_know_the_same_registers() -> None:
    assert set(written_course.OUR_REGISTERS) == set(REGISTERS) == set(registers())


def test_the_author_is_told_its_register() -> None:
    course = read_course(shipped("depression-20"))
    systems = {name: author_messages(people()[0], course, 1, name, [])[0].content for name in REGISTERS}
    assert len(set(systems.values())) == 3
    assert "homework review" in systems["cbt"]


@pytest.mark.parametrize(("asked", "numbers"), [(None, [1, 2, 3]), (2, [1, 2]), ([3, 1], [1, 3])])
def test_sessions_are_chosen_by_count_or_number(asked: Any, numbers: list[int]) -> None:
    assert written_course.session_numbers(asked, 3) == numbers


def block(**options: Any) -> Any:
    def problem(what: str, *path: str) -> str:
        return f"{'/'.join(path)}: {what}"

    return SimpleNamespace(
        options={"course": "depression-20", "personas": "train", **options}, study=StudyView({}), problem=problem
    )


def test_more_sessions_than_the_course_has_are_reported_before_the_run() -> None:
    assert written_course.check_block(block(sessions=[4, 21])) == ["sessions: the course has 20 sessions, got 21"]
    assert written_course.check_block(block(sessions=20)) == []


def test_an_unknown_course_is_reported_with_the_shipped_ones() -> None:
    found = written_course.check_block(block(course="anxiety"))
    assert found == ["course: no course 'anxiety'; shipped: depression-20, motivational-4"]


def shipped(name: str) -> Path:
    path = course_path(name)
    assert path is not None
    return path


def test_every_shipped_course_uses_techniques_that_the_grammar_knows() -> None:
    for name in shipped_courses():
        practised = {one for practice in shipped_practices() for one in named_practice(practice).techniques}
        wanted = {one for session in read_course(shipped(name)).sessions for one in session.techniques}
        assert wanted <= plans().keys() or wanted <= practised, name


def test_the_depression_course_goes_through_its_phases_in_order() -> None:
    phases = list(dict.fromkeys(one.phase for one in read_course(shipped("depression-20")).sessions))
    assert phases == ["assessment", "early", "middle", "late", "relapse prevention", "termination"]


def test_a_course_with_an_unknown_key_is_reported_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("course: mine\ntitle: Mine\nsessions:\n  - {phase: early, aim: [x], techniques: [y]}\n")
    with pytest.raises(SpecError, match=r"mine\.yaml:4.*aim"):
        read_course(path)
