"""What a stage did not take of its files is counted by reason, on the terminal and in the report."""

from __future__ import annotations

import json
from collections.abc import Callable

from cbtrun.testing.projects import StudyProject

STUDY = """\
cbtrun: 1
study: s
contains: none
models: {rater: {using: lexical-rater}}
sessions:
  using: import
  path: t.jsonl
  columns: {messages: messages}
  speakers: {assistant: therapist, user: patient}
  not_text: drop
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater]}}
report: {using: html}
"""


def test_turns_that_are_left_out_are_counted(study_project: Callable[[dict[str, str]], StudyProject]) -> None:
    said = [("user", "Low."), ("assistant", "<think>hm</think>Why?"), ("user", None), ("assistant", None)]
    row = {"messages": [{"role": role, "content": content} for role, content in said]}
    project = study_project({"study.yaml": STUDY, "t.jsonl": json.dumps(row) + "\n"})
    done = project.run()
    assert done.code == 0, done.err
    assert "thoughts taken out of turns: 1, turns that are null left out: 2" in done.err
    assert "turns that are null left out" in project.read("runs/s/report.html")
