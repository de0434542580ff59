"""A session's number in its course is a whole number from 1, or the row is told before any work."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from cbtrun.testing.projects import StudyProject

STUDY = """
cbtrun: 1
study: s
contains: none
models: {r: {using: lexical-rater}}
corpus:
  c:
    using: files
    path: c.jsonl
    columns: {transcript: id, messages: m, session_number: n}
    speakers: {t: therapist, c: patient}
    checks: {near_duplicates: 0}
"""
TALK = [{"role": "c", "content": "I slept badly."}, {"role": "t", "content": "Tell me more."}]


@pytest.mark.parametrize("number", [None, "", "two", 2.5, 0, -1, "nan", "inf", [1]])
def test_what_is_no_session_number_is_told_with_its_row(
    study_project: Callable[[Mapping[str, str]], StudyProject], number: object
) -> None:
    rows = [{"id": "1", "n": 3, "m": TALK}, {"id": "2", "n": number, "m": TALK}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    outcome = study_project({"study.yaml": STUDY, "c.jsonl": text}).run("validate", "study.yaml")
    assert outcome.code == 2
    assert "c.jsonl:2: column 'n' must hold the session's number in its course, from 1" in outcome.err
    assert "c.jsonl:1:" not in outcome.err
