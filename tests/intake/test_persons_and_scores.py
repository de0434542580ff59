"""Files of persons become personas, people's scores a study to agree on, labels the check of a rater."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cbtrun.intake.people_scores import people_scores
from cbtrun.intake.persona_formats import FORMATS, person_columns
from cbtrun.tables.transcript_table import read_table
from tests.helpers.intake_files import RUBRICS, proposed, refusal, turns

SHEET = "case_id,Name,age,history,dialogue\n1,Ann,33,Lost her job,x\n2,Bo,around 40,Drinks,y\n"


def test_a_person_a_row_gives_own_fields_and_a_text_without_the_talk(tmp_path: Path) -> None:
    one = proposed(tmp_path / "p.csv", SHEET)
    assert one.to == "personas"
    assert one.block.options["columns"] == {"id": "case_id", "name": "Name", "text": ["age", "history"]}
    assert one.left_out == ("1 column not told of the person: dialogue",)


def test_an_intake_form_is_known_by_its_column(tmp_path: Path) -> None:
    client = {"id": "c1", "name": "Ada", "age": 45, "intake_form": "Ada, 45.", "attitude": "positive", "cbt_plan": "z"}
    one = proposed(tmp_path / "p.jsonl", json.dumps(client))
    assert one.words == "JSON lines: CACTUS: intake forms"
    assert one.block.options["columns"] == {
        "id": "id",
        "name": "name",
        "age": "age",
        "text": ["intake_form", "attitude"],
    }


def test_a_format_of_persons_is_a_line_of_a_table(tmp_path: Path) -> None:
    for known in FORMATS:
        row = {column: f"words of {column}" for column in (*known.needs, *known.text)}
        (tmp_path / "p.json").write_text(json.dumps([row]))
        found = person_columns(read_table(tmp_path / "p.json"))
        assert found is not None
        assert found[0] == known.name


def test_turns_are_no_persons(tmp_path: Path) -> None:
    assert person_columns(read_table(_written(tmp_path / "t.csv", "session,turn,speaker,text\ns,1,T,Hi\n"))) is None
    assert "nothing tells of a person" in refusal(tmp_path / "q.csv", "a,b\n1,2\n", to="personas")
    said = proposed(tmp_path / "r.csv", "a,b\n1,Ann lost her job\n", to="personas")
    assert said.block.options["columns"] == {"text": ["a", "b"]}


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "rubric", "columns"),
    [
        ("session,coder,total\ns0,A,20\ns0,B,22\n", "ctrs", {"session": "session", "rater": "coder", "total": "total"}),
        (
            "session,agenda,feedback\ns0,0,1\ns1,1,2\n",
            "ctrs",
            {"session": "session", "agenda": "agenda", "feedback": "feedback"},
        ),
        (
            "session_id,rater_id,criterion,score\ns0,a,criterion1,5\ns0,b,criterion2,4\n",
            "mindeval",
            {"session": "session_id", "rater": "rater_id", "item": "criterion", "score": "score"},
        ),
    ],
)
def test_peoples_scores_are_told_and_want_their_sessions(
    tmp_path: Path, text: str, rubric: str, columns: dict[str, str]
) -> None:
    said = refusal(tmp_path / "scores.csv", text)
    assert "holds people's scores" in said
    assert "cbtrun import SESSIONS --to agree --ratings" in said
    found = people_scores(read_table(tmp_path / "scores.csv"), RUBRICS)
    assert found is not None
    assert (found.rubric, dict(found.columns)) == (rubric, columns)


def test_scores_beside_each_turn_are_no_scores_of_a_session(tmp_path: Path) -> None:
    rows = "\n".join(f"s0,{who},words {n},{n}" for n, who in enumerate("TCTC"))
    assert proposed(tmp_path / "t.csv", f"session,speaker,text,emotion\n{rows}\n").scores is None


def test_known_labels_make_the_check_of_a_rater(tmp_path: Path) -> None:
    lines = turns(sessions=4).splitlines()
    labelled = [f"{line},{'grade' if not n else ('low', 'high')[n > 8]}" for n, line in enumerate(lines)]
    one = proposed(tmp_path / "t.csv", "\n".join(labelled), to="check")
    assert one.facts.levels == {"grade": ("high", "low")}
    assert one.block.options["controls"] == ["shuffled", "swapped", "no-homework", "placebo"]
    unknown = "\n".join(labelled).replace("high", "x").replace("low", "y")
    said = refusal(tmp_path / "u.csv", unknown, to="check")
    assert "which sessions are good and which are poor cannot be known" in said
    assert "grade: x, y" in said or "grade: y, x" in said
    told = proposed(tmp_path / "u.csv", unknown, to="check", label="grade", better="y")
    assert told.facts.levels == {"grade": ("y", "x")}
