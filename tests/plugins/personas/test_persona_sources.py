"""Personas from files and from a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cbtrun.calls.calls import CallDesk, OpenModels, Tally
from cbtrun.contexts import StageContext
from cbtrun.contract.models import Request
from cbtrun.contract.records import Persona
from cbtrun.documents.schema import schema_problems
from cbtrun.errors import Place, SpecError
from cbtrun.journal.journal import Journal
from cbtrun.plugins.personas import files
from cbtrun.plugins.personas import written as written_personas
from cbtrun.plugins.personas.files import persona_path, read_personas
from cbtrun.study.persona_sets import content_digest
from cbtrun.testing.projects import StudyProject
from tests.helpers.talks import Speaks, persona


def place(*_: str | int, key: bool = False) -> Place:
    return Place("p.jsonl", 1 + key)


def test_at_least_a_hundred_distinct_evaluation_personas_ship() -> None:
    path = persona_path("eval-120", Path())
    assert path is not None
    people = read_personas(path)
    assert len({content_digest(one) for one in people}) == len(people) >= 100
    assert len({(one.name, one.age, one.occupation) for one in people}) >= 100


def test_lines_and_yaml_give_the_same_personas(tmp_path: Path) -> None:
    people = [persona(1), persona(2)]
    lines, listed = tmp_path / "p.jsonl", tmp_path / "p.yaml"
    lines.write_text("\n".join(one.model_dump_json() for one in people), encoding="utf-8")
    listed.write_text(json.dumps([one.model_dump(mode="json") for one in people]), encoding="utf-8")
    assert read_personas(lines) == read_personas(listed) == people


def test_the_record_takes_what_the_schema_takes() -> None:
    """Persona by persona the record is asked first: no value may please the one and not the other."""
    person = persona(1).model_dump(mode="json")
    odd: list[Any] = [None, True, 1.0, 1.5, 3, 400, "", "low", "18", [], ["low"], [1], {}, {"event": "x"}]
    changed = [person, *({**person, key: value} for key in [*person, "mood"] for value in odd)]
    changed += [{name: value for name, value in person.items() if name != key} for key in person]
    situation = person["situations"][0]
    changed += [{**person, "situations": [{**situation, "event": value}]} for value in odd]
    taken = [files._persona(value) is not None for value in changed]
    assert taken == [not schema_problems(value, files._schema(files._kind(value)), place) for value in changed]
    assert 40 < sum(taken) < len(taken) - 100


def test_text_that_json_cannot_hold_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(persona(1).model_dump(mode="json") | {"occupation": "cook\ud800"}), encoding="utf-8")
    assert read_personas(path)[0].occupation == "cook\ud800"


def test_every_fault_of_a_file_is_reported_with_its_line(tmp_path: Path) -> None:
    bad = persona(2).model_dump(mode="json") | {"phq9": 41, "mood": "low"}
    path = tmp_path / "p.jsonl"
    path.write_text(
        f"{persona(1).model_dump_json()}\n{json.dumps(bad)}\n{persona(1).model_dump_json()}\n", encoding="utf-8"
    )
    with pytest.raises(SpecError) as raised:
        read_personas(path)
    text = str(raised.value)
    assert f"{path}:2: phq9: expected at most 27, got 41" in text
    assert "unknown key 'mood'" in text
    assert f"{path}:3: a second persona with id 'p1'" in text


def test_new_personas_writes_a_file_that_a_study_can_name(
    study_project: Callable[[Mapping[str, str]], StudyProject],
) -> None:
    study = "cbtrun: 1\nstudy: s\npersonas: {mine: {using: files, path: mine.yaml}}\n"
    project = study_project({"study.yaml": study})
    assert project.run("new", "personas", "mine").code == 0
    assert project.run().code == 0
    assert '"Ida"' in project.read("runs/s/personas/mine.jsonl")


def author(change: Callable[[dict[str, Any], Request], dict[str, Any]] = lambda one, _: one) -> Speaks:
    """An author that follows its brief, as far as `change` lets it."""

    def answer(request: Request) -> str:
        brief = json.loads(request.messages[1].content)["brief"]
        own = f"number {request.draw.turn} {request.draw.item}"
        value = persona(request.draw.turn).model_dump(mode="json", exclude={"id"}) | brief
        return json.dumps(change(value | {"presenting_problem": own, "goals": ["sleep"]}, request))

    return Speaks(answer, "author")


def write(folder: Path, model: Speaks, count: int) -> tuple[list[Persona], StageContext]:
    with Journal(folder / "journal.sqlite") as journal:
        context = StageContext(
            stage="personas",
            name="eval",
            options={"author": "author", "count": count, "about": "adults", "risk": ["none"], "max_tokens": 900},
            study={},
            seed=4,
            folder=folder,
            inputs=None,  # type: ignore[arg-type]
            models=OpenModels(CallDesk(journal, 1, "personas", Tally()), lambda _: model),
            tell=lambda _done, _total, _detail: None,
        )
        return written_personas.make_personas(context), context


def test_a_model_writes_personas_that_keep_to_their_briefs(tmp_path: Path) -> None:
    people, _ = write(tmp_path, author(), 4)
    assert [one.id for one in people] == ["eval-001", "eval-002", "eval-003", "eval-004"]
    assert len({content_digest(one) for one in people}) == 4


def test_a_higher_count_keeps_the_earlier_personas(tmp_path: Path) -> None:
    for name in ("few", "many"):
        (tmp_path / name).mkdir()
    few = write(tmp_path / "few", author(), 3)[0]
    assert len(few) == 3
    assert write(tmp_path / "many", author(), 5)[0][:3] == few


def test_a_repeated_persona_is_written_again(tmp_path: Path) -> None:
    def same(value: dict[str, Any], request: Request) -> dict[str, Any]:
        return value | ({"presenting_problem": "The same."} if not request.draw.item else {})

    people, _ = write(tmp_path, author(same), 3)
    assert next(one.presenting_problem for one in people) == "The same."
    assert len({one.presenting_problem for one in people}) == 3


def test_a_persona_that_leaves_its_brief_is_asked_for_again_and_then_fails(tmp_path: Path) -> None:
    model = author(lambda value, _: value | {"phq9": 27})
    people, context = write(tmp_path, model, 1)
    assert people == []
    assert "phq9 must be" in context.failures[0].reason
    assert len(model.asked) == written_personas.TRIES
