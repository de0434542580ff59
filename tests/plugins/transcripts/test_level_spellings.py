"""A blank persona is nobody, and one number in two spellings is no two levels."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.plugins.transcripts.import_sessions import read_sessions
from cbtrun.plugins.transcripts.level_spellings import spelling_problems
from cbtrun.tables.transcript_table import read_table
from cbtrun.testing.projects import StudyProject
from tests.helpers.imported_study import STUDY, TRANSCRIPTS

OPTIONS = {
    "columns": {"session": "id", "messages": "m", "persona": "client"},
    "speakers": {"t": "therapist", "c": "patient"},
    "factors": {},
    "labels": {},
}
TALK = [{"role": "t", "content": "How are you?"}, {"role": "c", "content": "Tired."}]


@pytest.mark.parametrize("blank", [None, "", "  ", float("nan")])
def test_a_blank_persona_is_nobody(tmp_path: Path, blank: object) -> None:
    rows = [{"id": "1", "client": blank, "m": TALK}, {"id": "2", "client": "ann", "m": TALK}]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sessions, problems = read_sessions(read_table(path), OPTIONS, path)
    assert problems == []
    assert [one.persona for one in sessions] == [None, "ann"]


def test_one_number_in_two_spellings_is_told_with_its_row(
    study_project: Callable[[Mapping[str, str]], StudyProject],
) -> None:
    text = TRANSCRIPTS.replace(",good", ",1").replace(",poor", ",2").replace("last week?,1", "last week?,1.0")
    text = text.replace("my sister.,1", "my sister.,1.0")
    study = STUDY.replace("[good, poor]", "['1', '2']")
    for command in (["validate", "study.yaml"], ["study.yaml"]):
        outcome = study_project({"study.yaml": study, "t.csv": text}).run(*command)
        assert outcome.code == 2
        assert ":10: column 'quality': '1.0' and '1' are one number" in outcome.err
        assert "Traceback" not in outcome.err


def test_words_and_other_numbers_are_levels_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "id,arm\n" + "".join(f"{n},{arm}\n" for n, arm in enumerate(("v1", "v1.0", "1", "2", "nan", "nan")))
    )
    assert list(spelling_problems(read_table(path), {"arm": "arm"}, path)) == []


def test_a_label_in_two_spellings_is_told_too(study_project: Callable[[Mapping[str, str]], StudyProject]) -> None:
    study = STUDY.replace("factors: {quality: quality}", "factors: {quality: quality}\n  labels: {site: site}")
    assert study != STUDY
    first, *rows = TRANSCRIPTS.splitlines()
    text = "\n".join([f"{first},site", *(f"{row},{'7' if number else '7.0'}" for number, row in enumerate(rows))])
    outcome = study_project({"study.yaml": study, "t.csv": text}).run("validate", "study.yaml")
    assert "'7' and '7.0' are one number, and would be two levels of 'site'" in outcome.err
