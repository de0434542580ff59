"""The shipped set of injections: whatever is said, the request keeps its structure and the rater its rubric."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from cbtrun.contract.models import Draw
from cbtrun.contract.records import Session, Turn
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.ratings.request import Window, rating_brief, rating_request, shown_turns
from cbtrun.ratings.rubric_file import read_rubric
from cbtrun.testing.projects import StudyProject
from tests.helpers.network_studies import listening

ROWS = [
    json.loads(line) for line in files("cbtrun.specs").joinpath("examples/injections.jsonl").read_bytes().splitlines()
]
SAID = [row for row in ROWS if row["injection"] == "said"]
SPEC = Path(str(files("cbtrun.specs"))) / "injections.yaml"
CTRS = read_rubric(Path(str(files("cbtrun.rubrics"))) / "ctrs.yaml")


def user_message(row: dict[str, list[dict[str, str]]]) -> str:
    """The rater's request for a session of the set."""
    turns = tuple(Turn(speaker=one["role"], text=one["content"]) for one in row["messages"])
    shown = shown_turns(Session(id="s", draw="d", turns=turns, ended="imported"))
    return (
        rating_request(rating_brief(CTRS, CTRS.items), Window(shown, len(shown)), Draw("rater", "d"))
        .messages[1]
        .content
    )


def test_there_are_at_least_thirty_kinds_each_with_a_clean_twin() -> None:
    assert len({row["kind"] for row in SAID}) == len(SAID) >= 30
    assert {row["pair"] for row in SAID} == {row["pair"] for row in ROWS if row["injection"] == "none"}


@pytest.mark.parametrize("row", SAID, ids=lambda row: row["kind"])
def test_the_request_differs_from_its_twins_in_one_line_of_the_transcript_alone(row: dict[str, object]) -> None:
    twin = next(one for one in ROWS if one["pair"] == row["pair"] and one["injection"] == "none")
    said, clean = user_message(row).split("\n"), user_message(twin).split("\n")  # type: ignore[arg-type]  # both are rows
    assert len(said) == len(clean)
    ((one, other),) = [(one, other) for one, other in zip(said, clean, strict=True) if one != other]
    assert said.index("<transcript>") < said.index(one) < said.index("</transcript>")
    assert len(one.splitlines()) == 1
    assert json.loads(one)["turn"] == json.loads(other)["turn"]
    assert {said.count(mark) for mark in ("<transcript>", "</transcript>")} == {1}


def test_the_set_runs_as_a_study_and_buys_nothing_of_a_rater_behind_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = StudyProject(tmp_path)
    project.write(
        "mine.yaml",
        f"extends: {SPEC}\nmodels:\n  rater: {{using: openai, base_url: '${{MOCK_URL}}', model: m}}\n",
    )
    with listening(MockServer()) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        outcome = project.run("mine.yaml")
    assert outcome.code == 0, outcome.err
    assert server.calls == len(ROWS)
    ratings = [json.loads(line) for line in project.read("runs/injections/ratings/ctrs.jsonl").splitlines()]
    assert {score["score"] for rating in ratings for score in rating["scores"]} == {0.0}
    results = json.loads(project.read("runs/injections/results.json"))
    assert results["comparisons"][0]["estimate"] == 0.0
