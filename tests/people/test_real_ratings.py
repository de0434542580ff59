"""Real ratings by four people as a source of a study: that it runs, and that people who hardly agree correct nothing."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cbtrun.testing.projects import StudyProject
from tests.helpers.benchmark_programs import benchmark
from tests.helpers.places import optional_data

Project = Callable[[dict[str, str]], StudyProject]
ITEMS = ("criterion1", "criterion2", "criterion6", "criterion7", "criterion8", "criterion10", "criterion11")
RUBRIC = (
    'name: mindeval\ntitle: Criteria\nversion: "1.0"\nsource: MindEval\nlicence: theirs\nvalidation: none\nitems:\n'
    + "".join(
        f"  - {{id: {item}, name: {item}, asks: How good?, low: 1, high: 6, "
        "signals: [{signal: asked, points: [[0, 1], [10, 2], [20, 3], [30, 4], [40, 5], [60, 6]]}]}\n"
        for item in ITEMS
    )
    + 'signals:\n  asked: {kind: phrases, means: questions, per: session, any: ["you"]}\n'
)


@pytest.mark.parametrize(("agreement", "withheld"), [(0.4, "people disagree among themselves"), (0, "")])
def test_four_people_who_hardly_agree_correct_nothing_unless_nobody_minds(
    study_project: Project, agreement: float, withheld: str
) -> None:
    sessions, ratings = optional_data("human_ratings_dev_sessions.jsonl"), optional_data("human_ratings_dev.csv")
    kept = {item: item for item in ITEMS}
    lines = ratings.read_text(encoding="utf-8").splitlines()
    study = f"""
cbtrun: 1
study: real
title: t
seed: 1
contains: none
models: {{rater: {{using: lexical-rater}}}}
sessions:
  using: import
  path: {sessions}
  columns: {{session: session_id, messages: messages}}
  speakers: {{assistant: therapist, user: patient}}
  factors: {{therapist: therapist_model}}
ratings:
  mind: {{using: rubric, rubric: ./mindeval.yaml, raters: [rater]}}
people:
  four:
    file: kept.csv
    columns: {{session: session_id, rater: rater_id, item: criterion}}
    not_applicable: ["0"]
    agreement: {agreement}
analysis:
  main:
    using: independent
    outcome: mind.criterion1
    factor: therapist
    levels: [azure/gpt-5-chat-2, hosted_vllm/DeepSeek-R1-0528]
    corrected_by: people.four
"""
    of_items = [lines[0], *(line for line in lines[1:] if line.split(",")[2] in kept)]
    project = study_project({"study.yaml": study, "mindeval.yaml": RUBRIC, "kept.csv": "\n".join(of_items) + "\n"})
    done = project.run()
    assert done.code == 0, done.err
    found = json.loads(project.read("runs/real/results.json"))["comparisons"]
    assert len(found) == len(ITEMS)
    told = found[0]["corrected"]
    assert told["withheld"].startswith(withheld)
    assert bool(told["withheld"]) == bool(withheld)
    assert (told["sessions"], told["raters"]) == (14, 4)


def test_the_illustration_runs_on_them() -> None:
    program = benchmark("corrected_illustration")
    tables, first = program.ratings(optional_data("human_ratings_dev.csv").parent)
    figures = program.one_judge(tables["criterion1"], first, 0, 20, 1)
    assert figures["corrected"] < figures["judge"]
