"""Each line of docs/bring-what-you-have.md on people reads its small file; what is not a person's is told or left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from cbtrun.errors import SpecError
from cbtrun.plugins.personas.files import personas_of, read_personas
from cbtrun.plugins.personas.proposed import proposed_columns
from cbtrun.testing.projects import StudyProject

ROOT = Path(__file__).parents[2]
PEOPLE = ROOT / "tests/fixtures/people"
PAGE = (ROOT / "docs/bring-what-you-have.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\| .+ \| `using: files, (path: .+)` \|$", PAGE, re.MULTILINE)
ProjectOf = Callable[[Mapping[str, str]], StudyProject]


@pytest.mark.parametrize("line", LINES)
def test_a_line_on_people_reads_its_file(line: str) -> None:
    options = yaml.safe_load("{" + line + "}")
    people = personas_of(options, PEOPLE)
    assert all(len(one.text) > 5 for one in people)
    assert all(set(one.labels) == {*options.get("labels", ())} for one in people)
    assert not any(mark in one.text for one in people for mark in ("{'", "['", "None", "Counselor:", "build rapport"))


def test_every_small_file_of_people_stands_on_the_page() -> None:
    named = " ".join(LINES)
    assert [one.name for one in PEOPLE.iterdir() if f"path: {one.name}" not in named] == []
    assert len(LINES) == 11


@pytest.mark.parametrize("name", ["cactus.json", "vera.tsv", "patient_psi.json", "client_cast.json", "mindeval.jsonl"])
def test_what_is_proposed_for_a_file_of_others_reads_it(name: str) -> None:
    with pytest.raises(SpecError) as raised:
        read_personas(PEOPLE / name)
    (problem,) = raised.value.problems
    proposed = re.search(r"`(columns: .+?)` beside", str(problem))
    assert proposed is not None
    people = personas_of({"path": name, **yaml.safe_load("{" + proposed[1] + "}")}, PEOPLE)
    assert all(one.text for one in people)


def test_neither_dialogue_nor_plan_is_proposed_for_a_patient() -> None:
    row = {"intake_form": "Lives alone.", "dialogue": "Counselor: Hello.", "cbt_plan": "1. Ask.", "CBT Technique": "x"}
    assert proposed_columns(row) == "columns: {text: intake_form}"


def test_names_and_numbers_of_others_are_ours_where_they_can_be() -> None:
    row = {
        "Case_ID": "c7",
        "Name": "Ada",
        "Age": -1,
        "sex": "female",
        "risk": "High",
        "symptoms": {"a": 1},
        "Story": "x",
    }
    assert proposed_columns(row) == (
        "columns: {id: Case_ID, name: Name, gender: sex, text: [Age, risk, symptoms, Story]}"
    )


STUDY = """
cbtrun: 1
study: s
models: {t: {using: careful-control}, p: {using: transformers, model: "cbtrun:tiny"}, r: {using: lexical-rater}}
personas:
  people: {using: files, path: p.csv, columns: {text: about}PLUS}
arms: {a: {therapist: t, factors: {x: one}}, b: {therapist: t, factors: {x: two}}}
sessions: {using: dialogue, personas: people, patient: p, max_turns: 2}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [r]}}
analysis:
  main: {using: paired, outcome: ctrs.total, factor: x, levels: [one, two], ASKS}
"""
ROWS = "about,kind\nCounts the stairs.,OCD\nDrinks alone.,alcohol\n"


def checked(study_project: ProjectOf, asks: str, plus: str = "", rows: str = ROWS) -> str:
    """What `validate` says of an analysis that asks something of the patients."""
    text = STUDY.replace("ASKS", asks).replace("PLUS", plus)
    outcome = study_project({"study.yaml": text, "p.csv": rows}).run("validate", "study.yaml")
    assert (outcome.code == 2) == bool(outcome.err)
    return outcome.err


@pytest.mark.parametrize(("label", "field"), [("severity", "phq9"), ("risk", "risk"), ("gender", "gender")])
def test_an_analysis_by_a_field_that_vignettes_lack_is_told_with_field_and_line(
    study_project: ProjectOf, label: str, field: str
) -> None:
    said = checked(study_project, f"by: persona.{label}")
    assert said.startswith("study.yaml:11:")
    assert (
        f"analysis/main/by: `persona.{label}` needs the field `{field}`, which nobody in persona set 'people'" in said
    )


def test_where_asks_only_that_somebody_has_the_level(study_project: ProjectOf) -> None:
    assert "needs the field `risk`, which nobody" in checked(study_project, "where: {persona.risk: none}")
    gender = ", gender: g}".replace("}", "")
    rows = "about,g\nCounts.,woman\nDrinks.,\n"
    text = STUDY.replace("ASKS", "where: {persona.gender: woman}").replace(
        "{text: about}PLUS", f"{{text: about{gender}}}"
    )
    assert study_project({"study.yaml": text, "p.csv": rows}).run("validate", "study.yaml").code == 0
    by = text.replace("where: {persona.gender: woman}", "by: persona.gender")
    outcome = study_project({"study.yaml": by, "p.csv": rows}).run("validate", "study.yaml")
    assert "which not everybody (without: 2)" in outcome.err


def test_a_label_of_the_files_own_is_what_an_analysis_goes_by(study_project: ProjectOf) -> None:
    assert checked(study_project, "by: persona.kind", ", labels: {kind: kind}") == ""
    assert "unknown factor or label 'persona.kind'" in checked(study_project, "by: persona.kind")
    assert "which not everybody (without: 2)" in checked(
        study_project, "by: persona.kind", ", labels: {kind: kind}", ROWS.replace("alcohol", "")
    )
    assert "labels/kind: no column 'knd'" in checked(study_project, "by: persona.kind", ", labels: {kind: knd}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ abuot }}", "p.csv:2: text: line 1 of the template: 'abuot' is undefined"),
        ("{{ about.__class__ }}", "personas/people/columns/text: line 1 of the template: '.__class__'"),
        ("{{ about }", "personas/people/columns/text: line 1 of the template: unexpected '}'"),
    ],
)
def test_a_faulty_template_of_columns_is_told(study_project: ProjectOf, text: str, said: str) -> None:
    study = STUDY.replace("{text: about}PLUS", f'{{text: "{text}"}}').replace(", ASKS", "")
    outcome = study_project({"study.yaml": study, "p.csv": ROWS}).run("validate", "study.yaml")
    assert outcome.code == 2
    assert said in outcome.err


def test_a_word_that_values_do_not_have_is_told_with_its_row(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text("about,level\nCounts.,Low\nDrinks.,High\nSleeps.,\n", encoding="utf-8")
    values: dict[str, object] = {"Low": "passive-ideation"}
    columns = {"text": "about", "risk": {"column": "level", "values": values}}
    with pytest.raises(SpecError, match=r"p.csv:3: risk: 'High' is none of its `values`: Low"):
        read_personas(file, columns)
    values["High"] = None
    assert [one.risk for one in read_personas(file, columns)] == ["passive-ideation", None, None]


def test_labels_are_not_told_to_whoever_plays_the_person() -> None:
    from cbtrun.plugins.dialogue.prompts import PATIENT_SYSTEM, patient_system

    (one, _) = personas_of({"path": "nested.json", "records": "clients[]", "columns": {"text": "story"}, "labels": {"problem": "problem.kind"}}, PEOPLE)  # fmt: skip
    assert one.labels == {"problem": "OCD"}
    assert "OCD" not in patient_system(PATIENT_SYSTEM, one, 8)
