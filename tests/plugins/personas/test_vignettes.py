"""Somebody else's description of a person is a persona; what needs more than a text says so before anything runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.analysis.block import persona_levels
from cbtrun.contract.records import Persona
from cbtrun.errors import SpecError
from cbtrun.plugins.personas.files import read_personas
from cbtrun.plugins.personas.sampled import balance
from cbtrun.testing.projects import StudyProject
from tests.helpers.talks import persona

ProjectOf = Callable[[Mapping[str, str]], StudyProject]
VIGNETTE = {"id": "ada", "text": "Ada, 45, cannot run as far as she wants and thinks that she is a failure."}
INTAKE = {"idx": 7, "client": {"name": "Ada", "age": "45"}, "intake_form": "Lives alone.", "traits": ["shy", "kind"]}
STUDY = """
cbtrun: 1
study: s
models:
  t: {using: careful-control}
  p: {using: scripted-patient}
personas: {people: {using: files, path: p.jsonl}}
arms: {a: {therapist: t}}
sessions: {using: dialogue, personas: people, patient: p, max_turns: 6}
"""


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_an_id_and_a_text_are_enough_and_nothing_else_is_told_of_them(tmp_path: Path) -> None:
    (one,) = read_personas(written(tmp_path / "p.jsonl", VIGNETTE))
    assert one.model_dump(mode="json") == VIGNETTE
    assert Persona.model_validate_json(one.model_dump_json()) == one


def test_a_csv_with_one_person_a_row_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("id,text\na,Sleeps badly.\nb,Drinks again.\n", encoding="utf-8")
    assert [(one.id, one.text) for one in read_personas(path)] == [("a", "Sleeps badly."), ("b", "Drinks again.")]


def test_a_csv_with_our_fields_gives_numbers_and_lists_and_blank_cells_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("id,text,age,symptoms,risk\na,Sleeps badly.,45,I wake,none\nb,Drinks.,,,\n", encoding="utf-8")
    one, other = read_personas(path)
    assert (one.age, one.symptoms, one.risk) == (45, ("I wake",), "none")
    assert other.model_dump() == {"id": "b", "text": "Drinks."}


def test_columns_of_others_become_one_text_in_words(tmp_path: Path) -> None:
    columns = {"id": "idx", "name": "client.name", "age": "client.age", "text": ["intake_form", "traits", "client"]}
    (one,) = read_personas(written(tmp_path / "p.jsonl", INTAKE), columns)
    assert (one.id, one.name, one.age) == ("7", "Ada", 45)
    assert one.text == "intake form: Lives alone.\n\ntraits: shy; kind\n\nclient: name: Ada\nage: 45"


def test_without_an_id_it_is_the_number_of_the_row(tmp_path: Path) -> None:
    path = written(tmp_path / "p.jsonl", {"about": "Sleeps badly."}, {"about": "Drinks."})
    assert [one.id for one in read_personas(path, {"text": "about"})] == ["1", "2"]


def test_a_row_in_others_keys_is_told_with_a_mapping_that_works(tmp_path: Path) -> None:
    path = written(
        tmp_path / "p.jsonl", {"id": "c1", "name": "Ada", "intake_form": "Lives alone.", "attitude": "positive"}
    )
    with pytest.raises(
        SpecError, match=r"p.jsonl:1: .*`columns: \{id: id, name: name, text: \[intake_form, attitude\]\}`"
    ):
        read_personas(path)
    assert read_personas(path, {"id": "id", "name": "name", "text": ["intake_form", "attitude"]})[0].name == "Ada"


@pytest.mark.parametrize(
    ("row", "columns", "said"),
    [
        ({"a": "x"}, {"text": "b"}, "no column 'b'; it has: a"),
        ({"a": None}, {"text": "a"}, "nothing tells of this person"),
        ({"a": "x", "n": "old"}, {"text": "a", "age": "n"}, "age: expected"),
        ({"id": "x", "text": " "}, None, "its `text` is empty, or no text; a persona needs `id` and `text`"),
        ({"id": " ", "text": "x"}, None, "id: is blank"),
        ({"id": 3, "text": "x"}, None, "id: expected text, got 3"),
    ],
)
def test_what_does_not_fit_is_told_with_its_row(
    tmp_path: Path, row: dict[str, object], columns: dict[str, str] | None, said: str
) -> None:
    with pytest.raises(SpecError) as raised:
        read_personas(written(tmp_path / "p.jsonl", row), columns)
    assert f"p.jsonl:1: {said}" in str(raised.value) or said in str(raised.value)


@pytest.mark.parametrize("lacks", ["text alone", "no situation"])
def test_the_scripted_patient_says_before_the_run_whom_it_cannot_play(study_project: ProjectOf, lacks: str) -> None:
    full = persona(1).model_dump(mode="json") | {"id": "ida", "situations": []}
    row = VIGNETTE if lacks == "text alone" else full
    project = study_project({"study.yaml": STUDY, "p.jsonl": json.dumps(row)})
    outcome = project.run("validate", "study.yaml")
    assert outcome.code == 2
    assert outcome.err.startswith("study.yaml:6:")
    assert f"'{row['id']}' lacks" in outcome.err
    assert "situations" in outcome.err
    assert project.run().code == 2


def test_a_corpus_by_the_grammar_says_so_too(study_project: ProjectOf) -> None:
    study = "\n".join(
        [
            "cbtrun: 1\nstudy: s\nmodels: {g: {using: grammar}}\npersonas: {people: {using: files, path: p.jsonl}}",
            "corpus: {c: {using: written-course, personas: people, author: g, course: cbt-12, register: cbt}}",
        ]
    )
    outcome = study_project({"study.yaml": study, "p.jsonl": json.dumps(VIGNETTE)}).run("validate", "study.yaml")
    assert "the grammar `g` needs every structured field" in outcome.err


def test_labels_are_levels_of_a_person_beside_our_own_fields() -> None:
    people = [
        Persona(id="a", text="x", labels={"diagnosis": "OCD", "risk": "low"}),
        Persona(id="b", text="y", risk="none", labels={"diagnosis": "MDD"}),
    ]
    assert [persona_levels(one) for one in people] == [
        {"persona.diagnosis": "OCD", "persona.risk": "low"},
        {"persona.diagnosis": "MDD", "persona.risk": "none"},
    ]
    assert balance(people)["diagnosis"] == {"MDD": 1, "OCD": 1}
    assert len({*people}) == 2  # checks of fidelity keep what they know of a person


@pytest.mark.parametrize("template", ["{{ about }}: {{ row['a b'] }}", "{% for k in row %}{{ row[k] }}: {% endfor %}"])
def test_a_text_may_be_a_template_of_columns(tmp_path: Path, template: str) -> None:
    path = written(tmp_path / "p.jsonl", {"about": "Counts.", "a b": None}, {"about": "Drinks.", "a b": ["x", 1.5]})
    one, other = read_personas(path, {"text": template})
    assert one.text.startswith("Counts.:")
    assert "['x', 1.5]" in other.text or "x" in other.text
    assert "None" not in one.text
