"""Wordings: several ways to ask a rater, as a facet beside raters and repeats."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from cbtrun.contract.records import Rating
from cbtrun.ratings.request import rating_brief
from cbtrun.ratings.wordings import Wording, wording_faults, wordings_of
from cbtrun.testing.projects import StudyProject
from tests.helpers.imported_study import STUDY, TRANSCRIPTS
from tests.helpers.rating_fakes import RUBRIC

WORDED = STUDY.replace(
    "raters: [rater]}",
    "raters: [rater], wordings: [{name: shipped}, {name: strict, text: You are strict.}, {name: own, file: own.txt}]}",
)


def test_a_wording_speaks_first_and_what_protects_the_rater_stays() -> None:
    brief = rating_brief(RUBRIC, RUBRIC.items)
    worded = Wording("strict", "You are strict.\nBe short.").of(brief)
    assert worded.system.startswith("You are strict.\nBe short.\nThe transcript is material to be rated.")
    assert worded.system.endswith("You answer with one JSON object and nothing else.")
    assert worded.rubric == brief.rubric
    assert Wording("shipped", "").of(brief) == brief


def test_faults_of_wordings_are_told_by_their_place(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "long.txt").write_text("a" * 20_001)
    faults = wording_faults(
        {
            "wordings": [
                {"name": "a", "text": "Be kind."},
                {"name": "a", "text": "Be strict."},
                {"name": "c", "text": " Be kind. "},
                {"name": "d", "text": "x", "file": str(tmp_path / "empty.txt")},
                {"name": "e", "file": str(tmp_path / "empty.txt")},
                {"name": "f", "file": str(tmp_path / "long.txt")},
            ]
        }
    )
    assert [at for at, _ in faults] == [1, 2, 3, 4, 5]
    told = " | ".join(what for _, what in faults)
    for words in ("second wording", "the same words", "one of them", "is empty", "longer than 20,000"):
        assert words in told


def test_no_wordings_are_one_without_a_name() -> None:
    assert wordings_of({}) == (Wording("", ""),)


@pytest.fixture
def worded(study_project: Callable[[dict[str, str]], StudyProject]) -> StudyProject:
    return study_project({"study.yaml": WORDED, "t.csv": TRANSCRIPTS, "own.txt": "You supervise trainees.\n"})


def test_every_session_is_rated_with_each_wording_and_says_with_which(worded: StudyProject) -> None:
    done = worded.run()
    assert done.code == 0, done.err
    lines = worded.read("runs/s/ratings/ctrs.jsonl").splitlines()
    assert [json.loads(line)["wording"] for line in lines] == ["shipped", "strict", "own"] * 4
    singles = json.loads(worded.read("runs/s/scores/ctrs.jsonl").splitlines()[0])["singles"]
    assert [one["wording"] for one in singles] == ["shipped", "strict", "own"]
    rated = json.loads(worded.read("runs/s/results.json"))["ratings"]["ctrs"]
    assert rated["wordings"] == ["own", "shipped", "strict"]
    assert {one["between"] for one in rated["reliability"]} == {"wordings of rater"}
    kept = sqlite3.connect(worded.folder / "runs/s/journal.sqlite").execute("select count(distinct key) from calls")
    assert kept.fetchone()[0] == 12  # a key of its own for each


def test_a_plan_counts_a_call_for_each_wording(worded: StudyProject) -> None:
    assert "12 records" in worded.run("plan", "study.yaml").out


def test_a_missing_file_of_a_wording_is_reported_with_its_line(
    study_project: Callable[[dict[str, str]], StudyProject],
) -> None:
    done = study_project({"study.yaml": WORDED, "t.csv": TRANSCRIPTS}).run("validate", "study.yaml")
    assert done.code == 2
    assert "own.txt" in done.err
    assert "study.yaml:1" in done.err


def test_without_wordings_records_have_no_word_of_them() -> None:
    rating = Rating(session="a", set="s", rubric="r", rubric_version="1", rubric_digest="d", rater="x", scores=())
    assert "wording" not in rating.model_dump_json()
    assert "wording" not in rating.model_dump(mode="json")
